#include "worker/step/step_time.h"

#include <algorithm>

namespace millrace::worker {
namespace {

int64_t Micros(TimePoint time) { return time.time_since_epoch().count(); }

}  // namespace

int64_t StepTime::Now(const BatchContext& context) const {
  if (event) return Micros(EventWatermark(rule, context));
  return Micros(context.final ? TimePoint::max() : context.batch_time);
}

int64_t StepTime::LateBefore(const BatchContext& context) const {
  return event ? Micros(LateBound(rule, context)) : kBeginningOfTime;
}

std::vector<int64_t> StepTime::TimesOf(const RecordBatch& batch,
                                       const BatchContext& context) const {
  if (event) return batch.column(column).ints;
  return std::vector<int64_t>(batch.num_rows(), Micros(ProcessingTime(context)));
}

bool ResolveTime(const StepEnv& env, std::optional<api::TimeDomain> wanted, StepTime* time) {
  time->rule = env.input.watermark;
  time->column = env.input.schema.Find(kEventTimeField);
  const bool possible = env.input.has_event_time && time->column >= 0;
  time->event = wanted ? *wanted == api::TimeDomain::kEvent : possible;
  if (!time->event || possible) return true;
  api::AddError(
      env.diagnostics, env.path + ".time",
      "Event needs event time, which this stream does not have; give its source eventTime "
      "or use Processing");
  return false;
}

RecordBatch WithoutLate(const RecordBatch& batch, int64_t late_before, TaskRun* run,
                        std::vector<int64_t>* times) {
  const auto late = [late_before](int64_t time) { return time < late_before; };
  const auto count = std::count_if(times->begin(), times->end(), late);
  if (count == 0) return batch;
  run->report->late_records += count;
  std::vector<uint32_t> keep;
  for (size_t row = 0; row < times->size(); ++row) {
    if (!late((*times)[row])) keep.push_back(static_cast<uint32_t>(row));
  }
  std::erase_if(*times, late);
  return batch.Gather(keep);
}

}  // namespace millrace::worker
