#include "worker/step/aggregate_window.h"

#include <algorithm>
#include <limits>

#include "crds/base/overloaded.h"
#include "crds/base/text.h"

namespace millrace::worker {
namespace {

constexpr int64_t kBeginning = std::numeric_limits<int64_t>::min();

int64_t Micros(TimePoint time) { return time.time_since_epoch().count(); }

void Refuse(const StepEnv& env, std::string_view member, std::string message) {
  api::AddError(env.diagnostics, env.path + "." + std::string(member), std::move(message));
}

// Lengths of processing-time windows are whole batches: a batch is never split.
void CheckProcessing(const StepEnv& env, std::string_view member, Duration length) {
  if (env.batch_interval.count() > 0 && length % env.batch_interval != Duration{0}) {
    Refuse(env, member,
           "a processing-time window of " + FormatDuration(length) +
               " is no multiple of batchInterval (" + FormatDuration(env.batch_interval) + ")");
  }
}

bool CheckPositive(const StepEnv& env, std::string_view member, Duration value) {
  if (value.count() > 0) return true;
  Refuse(env, member, "must be longer than 0s");
  return false;
}

// Fills shape and sizes.
void PlanShape(const StepEnv& env, const api::Window& window, WindowPlan* plan) {
  const auto check = [&](std::string_view member, Duration value) {
    if (CheckPositive(env, member, value) && !plan->event_time) CheckProcessing(env, member, value);
  };
  std::visit(Overloaded{
                 [&](const api::BatchWindow&) { plan->shape = WindowShape::kBatch; },
                 [&](const api::GlobalWindow& global) {
                   plan->shape = WindowShape::kGlobal;
                   if (global.ttl) {
                     CheckPositive(env, "window.global.ttl", *global.ttl);
                     plan->ttl = global.ttl->count();
                   }
                 },
                 [&](const api::TumblingWindow& tumbling) {
                   plan->shape = WindowShape::kTumbling;
                   check("window.tumbling.length", tumbling.length);
                   if (tumbling.length.count() <= 0) return;
                   if (!plan->event_time)
                     CheckProcessing(env, "window.tumbling.offset", tumbling.offset);
                   plan->grid = SliceGrid(tumbling.length, tumbling.length, tumbling.offset);
                 },
                 [&](const api::SlidingWindow& sliding) {
                   plan->shape = WindowShape::kSliding;
                   check("window.sliding.length", sliding.length);
                   check("window.sliding.slide", sliding.slide);
                   if (sliding.slide > sliding.length) {
                     Refuse(env, "window.sliding.slide",
                            "slide " + FormatDuration(sliding.slide) + " is longer than length " +
                                FormatDuration(sliding.length) +
                                ": records would fall between windows");
                   } else if (sliding.slide.count() > 0) {
                     plan->grid = SliceGrid(sliding.length, sliding.slide);
                   }
                 },
                 [&](const api::SessionWindow& session) {
                   plan->shape = WindowShape::kSession;
                   CheckPositive(env, "window.session.gap", session.gap);
                   CheckPositive(env, "window.session.maxLength", session.max_length);
                   plan->gap = session.gap.count();
                   plan->max_length = session.max_length.count();
                 },
                 [&](const api::CountWindow& count) {
                   plan->shape = WindowShape::kCount;
                   plan->count_length = count.length;
                   plan->count_slide = count.slide.value_or(count.length);
                   if (count.length < 1) Refuse(env, "window.count.length", "must be at least 1");
                   if (plan->count_slide < 1 || plan->count_slide > count.length) {
                     Refuse(env, "window.count.slide", "must be from 1 to length");
                   }
                 },
                 [&](const api::IntervalWindow&) {
                   Refuse(env, "window",
                          "interval windows belong to joins; use one of batch global tumbling "
                          "sliding session count");
                 },
             },
             window);
}

void PlanTime(const StepEnv& env, std::optional<api::TimeDomain> time, WindowPlan* plan) {
  plan->event_time = time ? *time == api::TimeDomain::kEvent : env.input.has_event_time;
  if (plan->event_time && !env.input.has_event_time) {
    Refuse(env, "time", "Event needs event time: give the source eventTime, or say Processing");
  }
}

void PlanEmit(const StepEnv& env, std::optional<api::Emit> emit, WindowPlan* plan) {
  const bool global = plan->shape == WindowShape::kGlobal;
  plan->emit = emit.value_or(global ? api::Emit::kChanges : api::Emit::kFinal);
  if (global && plan->emit == api::Emit::kFinal) {
    Refuse(env, "emit", "Final with a global window: it never closes; use Changes or All");
  }
}

}  // namespace

int64_t WindowPlan::Now(const BatchContext& context) const {
  if (event_time) return Micros(EventWatermark(watermark, context));
  if (context.final) return Micros(TimePoint::max());
  return Micros(context.batch_time);
}

int64_t WindowPlan::Previous(const BatchContext& context) const {
  return Micros(event_time ? PreviousEventWatermark(watermark, context)
                           : context.previous_batch_time);
}

int64_t WindowPlan::LateBefore(const BatchContext& context) const {
  return event_time ? Micros(LateBound(watermark, context)) : kBeginning;
}

bool PlanWindow(const StepEnv& env, const api::Window& window, std::optional<api::TimeDomain> time,
                std::optional<api::Emit> emit, api::OnLate on_late, WindowPlan* plan) {
  const size_t before = env.diagnostics->size();
  plan->on_late = on_late;
  plan->watermark = env.input.watermark;
  plan->time_column = env.input.schema.Find(kEventTimeField);
  PlanTime(env, time, plan);
  PlanShape(env, window, plan);
  PlanEmit(env, emit, plan);
  return env.diagnostics->size() == before;
}

std::string DescribeWindow(const api::Window& window) {
  return std::visit(
      Overloaded{
          [](const api::BatchWindow&) { return std::string("batch"); },
          [](const api::GlobalWindow& w) {
            return w.ttl ? "global, ttl " + FormatDuration(*w.ttl) : std::string("global");
          },
          [](const api::TumblingWindow& w) { return "tumbling " + FormatDuration(w.length); },
          [](const api::SlidingWindow& w) {
            return "sliding " + FormatDuration(w.length) + " every " + FormatDuration(w.slide);
          },
          [](const api::SessionWindow& w) { return "session, gap " + FormatDuration(w.gap); },
          [](const api::CountWindow& w) {
            return "every " + std::to_string(w.slide.value_or(w.length)) + " of " +
                   std::to_string(w.length) + " records";
          },
          [](const api::IntervalWindow&) { return std::string("interval"); },
      },
      window);
}

std::vector<int64_t> EventTimes(const RecordBatch& batch, int time_column) {
  const Column& times = batch.column(static_cast<size_t>(time_column));
  std::vector<int64_t> result = times.ints;
  if (times.has_nulls()) {
    for (size_t i = 0; i < result.size(); ++i) {
      if (times.IsNull(i)) result[i] = kBeginning / 2;
    }
  }
  return result;
}

RecordBatch DropLate(const WindowPlan& window, const std::string& origin, const RecordBatch& batch,
                     TaskRun* run) {
  const int64_t bound = window.LateBefore(*run->context);
  if (!window.timed() || !window.event_time || bound == kBeginning) return batch;
  const std::vector<int64_t> times = EventTimes(batch, window.time_column);
  const bool session = window.shape == WindowShape::kSession;
  std::vector<uint32_t> keep, late;
  // All windows of a time end later than the time itself: most batches need no further look.
  const auto oldest = std::min_element(times.begin(), times.end());
  if (oldest == times.end() || *oldest >= bound) return batch;
  for (uint32_t i = 0; i < times.size(); ++i) {
    // The last moment of a session belongs to it.
    const bool is_late =
        session ? times[i] + window.gap < bound : window.grid.LastEndOf(times[i]) <= bound;
    (is_late ? late : keep).push_back(i);
  }
  if (late.empty()) return batch;
  run->report->late_records += static_cast<int64_t>(late.size());
  if (window.on_late == api::OnLate::kDeadLetter) {
    for (const uint32_t row : late) {
      run->dead_letters->AddRow(origin, "Late", "all windows of the record were closed", batch,
                                row);
    }
  }
  return batch.Gather(keep);
}

void AddHiddenFields(const WindowPlan& window, Schema* schema) {
  schema->Set({std::string(kEventTimeField), Type(Kind::kTimestamp, !window.timed())});
  schema->Set({std::string(kBatchTimeField), Type(Kind::kTimestamp)});
  schema->Set({std::string(kSourceField), Type(Kind::kString)});
}

void AppendHiddenColumns(const WindowPlan& window, std::span<const int64_t> ends, size_t rows,
                         const TaskRun& run, std::vector<ColumnRef>* columns) {
  auto times = std::make_shared<Column>(Type(Kind::kTimestamp, !window.timed()));
  const int64_t back = window.shape == WindowShape::kSession ? 0 : 1000;
  auto source = std::make_shared<Column>(Type(Kind::kString));
  for (size_t i = 0; i < rows; ++i) {
    if (window.timed()) {
      times->AppendInt(ends[i] - back);
    } else {
      times->AppendNull();
    }
    source->AppendView({});
  }
  const std::vector<int64_t> batch_times(rows, Micros(run.context->batch_time));
  columns->push_back(std::move(times));
  columns->push_back(TimestampColumn(batch_times));
  columns->push_back(std::move(source));
}

std::vector<std::string> UpdateKey(const WindowPlan& window, std::vector<std::string> key) {
  if (window.timed()) key.push_back("windowStart");
  return key;
}

WatermarkRule OutputWatermark(const WindowPlan& window) {
  WatermarkRule rule = window.watermark;
  rule.cascaded = true;
  return rule;
}

ColumnRef TimestampColumn(std::span<const int64_t> micros) {
  auto column = std::make_shared<Column>(Type(Kind::kTimestamp));
  column->ints.assign(micros.begin(), micros.end());
  column->set_size(micros.size());
  return column;
}

ColumnRef IntColumn(std::span<const int64_t> values) {
  auto column = std::make_shared<Column>(Type(Kind::kInt));
  column->ints.assign(values.begin(), values.end());
  column->set_size(values.size());
  return column;
}

ColumnRef BytesColumn(std::span<const std::string_view> values) {
  size_t bytes = 0;
  for (const std::string_view value : values) bytes += value.size();
  auto arena = std::make_shared<Arena>(bytes + 1);
  auto column = std::make_shared<Column>(Type(Kind::kBytes));
  column->strings.reserve(values.size());
  column->AddOwner(arena);
  for (const std::string_view value : values) column->strings.push_back(arena->Copy(value));
  column->set_size(values.size());
  return column;
}

}  // namespace millrace::worker
