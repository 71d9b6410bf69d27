#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/step/step.h"

namespace millrace::worker {

inline constexpr int64_t kBeginningOfTime = INT64_MIN;
inline constexpr int64_t kEndOfTime = INT64_MAX;

// a + b without overflow: stays at the end of time.
inline int64_t AddTime(int64_t a, int64_t b) {
  int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? kEndOfTime : kBeginningOfTime;
}

// The clock of a keyed step: event time with a watermark, or batch time. Microseconds since the
// epoch. A value; thread-safe.
struct StepTime {
  bool event = false;
  int column = -1;  // __eventTime of the input
  WatermarkRule rule;

  // What is due at or before this happens in this batch; the end of time in the final one.
  int64_t Now(const BatchContext& context) const;
  // Records before this are late; the beginning of time for processing time.
  int64_t LateBefore(const BatchContext& context) const;
  std::vector<int64_t> TimesOf(const RecordBatch& batch, const BatchContext& context) const;
  const char* name() const { return event ? "event time" : "processing time"; }
};

// `wanted`, by default event time where the input has it. False, with an error at <env.path>.time,
// for event time without it.
bool ResolveTime(const StepEnv& env, std::optional<api::TimeDomain> wanted, StepTime* time);

// The rows that are not late. Late ones are counted in the report. `times` keeps pace.
RecordBatch WithoutLate(const RecordBatch& batch, int64_t late_before, TaskRun* run,
                        std::vector<int64_t>* times);

}  // namespace millrace::worker
