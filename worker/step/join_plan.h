#pragma once

#include <optional>
#include <string>
#include <vector>

#include "worker/step/keyed_plan.h"
#include "worker/step/step.h"
#include "worker/step/step_time.h"

// What a join computes, checked. "Left" is the step's own stream, "right" the one named by `with`.
namespace millrace::worker {

enum class JoinWindow { kBatch, kGlobal, kTumbling, kInterval };

// Where a column of the output comes from.
struct JoinColumn {
  enum class From {
    kLeft,       // `left`; blank in rows without a left side
    kKey,        // `left`, else `right`
    kRight,      // the struct of the right side's visible fields
    kEventTime,  // by window: see JoinPlan::EventTimeOf
    kBatchTime,  // left's, else the batch's time
    kWindowStart,
    kWindowEnd,
  } from = From::kLeft;
  int left = -1;
  int right = -1;
};

struct JoinPlan {
  std::string origin;
  JoinWindow window = JoinWindow::kBatch;
  bool keeps_left = false;      // Left, Full
  bool keeps_right = false;     // Right, Full
  KeyPlan keys[2];              // left, right
  std::vector<Type> key_types;  // never nullable: nulls join nothing
  StepTime time[2];             // clocks of the two sides; the same kind of clock
  WatermarkRule rule;           // of both sides together
  std::optional<int64_t> ttl;   // microseconds, global
  int64_t before = 0;           // interval
  int64_t after = 0;
  int64_t length = 0;  // tumbling
  int64_t offset = 0;
  bool both_event_times = false;

  Schema inputs[2];
  SchemaRef schema;
  std::vector<JoinColumn> columns;  // of the output
  Type right_type;                  // struct of the right side
  std::vector<int> right_columns;   // its members in the right input
  int event_time_columns[2] = {-1, -1};
  bool output_event_time = false;

  bool stateful() const { return window != JoinWindow::kBatch; }
  bool keeps(int side) const { return side == 0 ? keeps_left : keeps_right; }
  int64_t Now(const BatchContext& context) const;
  int64_t LateBefore(const BatchContext& context) const;
  WatermarkRule OutputWatermark() const;
};

// Checks the step; false, with errors in env.diagnostics, when there is one.
bool PlanJoin(const api::JoinStep& spec, const StepEnv& env, JoinPlan* plan);

}  // namespace millrace::worker
