#include "crds/api/slots.h"

namespace millrace::api {

void Describe(Fields&, BatchWindow&) {}

void Describe(Fields& fields, GlobalWindow& value) {
  Interval(fields, Optional("ttl", "Keys idle for so long are dropped.", "none"), value.ttl);
}

void Describe(Fields& fields, TumblingWindow& value) {
  Interval(fields, Required("length", "Length of a window.", "1m"), value.length);
  Interval(fields, Optional("offset", "Shift of the window starts from the epoch."), value.offset,
           Duration(0));
}

void Describe(Fields& fields, SlidingWindow& value) {
  Interval(fields, Required("length", "Length of a window.", "30s"), value.length);
  Interval(fields,
           Required("slide", "Distance between two window starts; at most the length.", "10s"),
           value.slide);
}

void Describe(Fields& fields, SessionWindow& value) {
  Interval(fields, Required("gap", "Records at most so far apart belong to one session.", "30m"),
           value.gap);
  Interval(fields, Optional("maxLength", "A session is cut when it gets longer."),
           value.max_length);
}

void Describe(Fields& fields, CountWindow& value) {
  Int(fields, Required("length", "Records of a key in one window.", "100"), value.length, 1,
      1'000'000'000);
  Int(fields,
      Optional("slide", "Records of a key between two results; at most the length.", "length"),
      value.slide, 1, 1'000'000'000);
}

void Describe(Fields& fields, IntervalWindow& value) {
  Interval(fields, Optional("before", "How long before a record its partner may be."), value.before,
           Duration(0));
  Interval(fields, Optional("after", "How long after a record its partner may be."), value.after,
           Duration(0));
}

void DescribeWindow(Fields& fields, Window& target) {
  Union(fields, Required("window", "Which records belong together.", "{tumbling: {length: 1m}}"),
        target,
        {{"batch", "The records of one batch."},
         {"global", "All records since the start."},
         {"tumbling", "Windows of one length, one after the other."},
         {"sliding", "Windows of one length that overlap."},
         {"session", "Records of a key without a long pause."},
         {"count", "A number of records of a key."},
         {"interval", "Pairs whose times are near each other."}});
}

}  // namespace millrace::api
