#include "worker/expr/kernel_time.h"

#include <algorithm>

#include "worker/expr/kernel_node.h"

namespace millrace::worker {
namespace {

using Getter = int64_t (*)(const CivilTime&);

struct NamedGetter {
  std::string_view name;
  Getter get;
};
constexpr NamedGetter kGetters[] = {
    {"getFullYear", [](const CivilTime& time) { return time.year; }},
    {"getMonth", [](const CivilTime& time) { return int64_t{time.month} - 1; }},
    {"getDate", [](const CivilTime& time) { return int64_t{time.day}; }},
    {"getDayOfMonth", [](const CivilTime& time) { return int64_t{time.day} - 1; }},
    {"getDayOfWeek", [](const CivilTime& time) { return int64_t{time.weekday}; }},
    {"getDayOfYear", [](const CivilTime& time) { return int64_t{time.year_day} - 1; }},
    {"getHours", [](const CivilTime& time) { return int64_t{time.hour}; }},
    {"getMinutes", [](const CivilTime& time) { return int64_t{time.minute}; }},
    {"getSeconds", [](const CivilTime& time) { return int64_t{time.second}; }},
    {"getMilliseconds", [](const CivilTime& time) { return int64_t{time.micros} / 1000; }},
};

bool InTimestampRange(int64_t micros) {
  return micros >= kMinTimestampMicros && micros <= kMaxTimestampMicros;
}

StrictBody GetterBody(Getter get) {
  return [get](const StrictCall& call, Column* out) {
    out->ints.resize(call.rows);
    for (size_t i = 0; i < call.rows; ++i) {
      const int64_t micros = call[0]->ints[call[0].constant ? 0 : i];
      if (InTimestampRange(micros)) {
        out->ints[i] = get(ToCivil(micros));
      } else {
        call.MarkSlow(i);
      }
    }
  };
}

void Tumble(const StrictCall& call, Column* out) {
  out->ints.resize(call.rows);
  for (size_t i = 0; i < call.rows; ++i) {
    const int64_t time = call[0]->ints[call[0].constant ? 0 : i];
    const int64_t length = call[1]->ints[call[1].constant ? 0 : i];
    const bool odd = length <= 0 || length > kMaxDurationMicros || !InTimestampRange(time);
    if (!odd) out->ints[i] = time - (time % length + (time % length < 0 ? length : 0));
    if (odd || !InTimestampRange(out->ints[i])) call.MarkSlow(i);
  }
}

void ToUnixMillis(const StrictCall& call, Column* out) {
  out->ints.resize(call.rows);
  UnaryLoop(call.rows, call[0]->ints.data(), call[0].constant, out->ints.data(),
            [](int64_t micros) { return FloorDivide(micros, 1000); });
}

void FromUnixMillis(const StrictCall& call, Column* out) {
  out->ints.resize(call.rows);
  for (size_t i = 0; i < call.rows; ++i) {
    const int64_t millis = call[0]->ints[call[0].constant ? 0 : i];
    if (__builtin_mul_overflow(millis, int64_t{1000}, &out->ints[i]) ||
        !InTimestampRange(out->ints[i]))
      call.MarkSlow(i);
  }
}

}  // namespace

KernelNodePtr MakeTimeCall(const Expr& call, Nodes* args) {
  const auto is = [&](size_t i, Kind kind) {
    return i < args->size() && (*args)[i]->kind() == kind;
  };
  const auto strict = [&](StrictBody body) {
    return MakeStrict(call.type, std::move(*args), std::move(body));
  };
  if (args->size() == 2 && is(0, Kind::kTimestamp) && is(1, Kind::kDuration) &&
      call.name == "tumble")
    return strict(Tumble);
  if (args->size() != 1) return nullptr;
  if (is(0, Kind::kInt) && call.name == "fromUnixMillis") return strict(FromUnixMillis);
  if (!is(0, Kind::kTimestamp)) return nullptr;
  if (call.name == "toUnixMillis") return strict(ToUnixMillis);
  const auto found = std::ranges::find(kGetters, call.name, &NamedGetter::name);
  return found == std::end(kGetters) ? nullptr : strict(GetterBody(found->get));
}

}  // namespace millrace::worker
