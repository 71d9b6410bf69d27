#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/step/step.h"
#include "worker/window/slice_grid.h"

// Windows as the steps aggregate and top use them: checking, clocks, late rows and the columns that
// windowed rows carry.
namespace millrace::worker {

enum class WindowShape { kBatch, kGlobal, kTumbling, kSliding, kSession, kCount };

// A window as steps use it: shape, grid and time.
struct WindowPlan {
  WindowShape shape = WindowShape::kBatch;
  SliceGrid grid;            // tumbling, sliding
  int64_t gap = 0;           // session, microseconds
  int64_t max_length = 0;    // session
  int64_t count_length = 0;  // count
  int64_t count_slide = 0;
  std::optional<int64_t> ttl;  // global, microseconds
  bool event_time = false;
  api::Emit emit = api::Emit::kFinal;
  api::OnLate on_late = api::OnLate::kDrop;
  WatermarkRule watermark;
  int time_column = -1;  // __eventTime of the input, -1: none

  bool timed() const {
    return shape == WindowShape::kTumbling || shape == WindowShape::kSliding ||
           shape == WindowShape::kSession;
  }
  bool updating() const { return emit != api::Emit::kFinal; }
  // The clock that closes windows, and what it was in the batch before; min() when it has not
  // begun.
  int64_t Now(const BatchContext& context) const;
  int64_t Previous(const BatchContext& context) const;
  // Windows that ended at or before this get no more records; min() for processing time.
  int64_t LateBefore(const BatchContext& context) const;
};

// Checks window, time and emit of an aggregate or top against the input; errors go to
// env.diagnostics. Returns false when there is one.
bool PlanWindow(const StepEnv& env, const api::Window& window, std::optional<api::TimeDomain> time,
                std::optional<api::Emit> emit, api::OnLate on_late, WindowPlan* plan);
// "tumbling 10s", for explain.
std::string DescribeWindow(const api::Window& window);

// Event times of the rows; a null (only without a declared event time) is the beginning of time.
std::vector<int64_t> EventTimes(const RecordBatch& batch, int time_column);

// The rows that still count: those whose windows are all closed are taken out, counted and, where
// the step says so, dead-lettered under `origin`.
RecordBatch DropLate(const WindowPlan& window, const std::string& origin, const RecordBatch& batch,
                     TaskRun* run);

// Hidden fields that windowed steps put behind their visible ones: __eventTime (windowEnd - 1 ms;
// windowEnd for sessions, whose end belongs to them), __batchTime, __source.
void AddHiddenFields(const WindowPlan& window, Schema* schema);
void AppendHiddenColumns(const WindowPlan& window, std::span<const int64_t> ends, size_t rows,
                         const TaskRun& run, std::vector<ColumnRef>* columns);
// Update key of the rows of an updating step: key fields and, for timed windows, windowStart.
std::vector<std::string> UpdateKey(const WindowPlan& window, std::vector<std::string> key);
WatermarkRule OutputWatermark(const WindowPlan& window);

ColumnRef TimestampColumn(std::span<const int64_t> micros);
ColumnRef IntColumn(std::span<const int64_t> values);
// A bytes column over copies of `values`.
ColumnRef BytesColumn(std::span<const std::string_view> values);

}  // namespace millrace::worker
