#include "worker/step/join_plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "crds/base/text.h"
#include "worker/step/field_expressions.h"

namespace millrace::worker {
namespace {

constexpr const char* kWindowStart = "windowStart";
constexpr const char* kWindowEnd = "windowEnd";

class JoinPlanner {
 public:
  JoinPlanner(const api::JoinStep& spec, const StepEnv& env, JoinPlan* plan)
      : spec_(spec), env_(env), plan_(plan) {}

  bool Plan();

 private:
  void PlanType();
  bool PlanKeys();
  bool PlanWindow();
  bool CheckGlobal(const api::GlobalWindow& window);
  bool CheckTumbling(const api::TumblingWindow& window);
  bool CheckInterval(const api::IntervalWindow& window);
  bool PlanTime();
  void PlanRule();
  bool PlanColumns();
  void AddColumn(Field field, JoinColumn column) {
    schema_.Set(std::move(field));
    plan_->columns.push_back(column);
  }
  JoinColumn SourceOf(int left, Field* field) const;
  bool Refuse(const std::string& member, std::string message) const {
    AddErrorOnce(env_, env_.path + "." + member, std::move(message));
    return false;
  }

  const api::JoinStep& spec_;
  const StepEnv& env_;
  JoinPlan* plan_;
  Schema schema_;
};

bool JoinPlanner::Plan() {
  plan_->origin = env_.origin;
  plan_->inputs[0] = env_.input.schema;
  plan_->inputs[1] = env_.other.schema;
  PlanType();
  bool good = PlanKeys();
  good &= PlanWindow();
  good = good && PlanTime();
  if (!good) return false;
  PlanRule();
  return PlanColumns();
}

void JoinPlanner::PlanType() {
  using JoinType = api::JoinStep::Type;
  plan_->keeps_left = spec_.type == JoinType::kLeft || spec_.type == JoinType::kFull;
  plan_->keeps_right = spec_.type == JoinType::kRight || spec_.type == JoinType::kFull;
}

bool JoinPlanner::PlanKeys() {
  const std::vector<std::string>& with_key = spec_.with_key.empty() ? spec_.key : spec_.with_key;
  const char* member = spec_.with_key.empty() || spec_.with_key == spec_.key ? "key" : "withKey";
  bool good = ResolveKey(env_, env_.input.schema, spec_.key, "key", &plan_->keys[0]);
  good &= ResolveKey(env_, env_.other.schema, with_key, member, &plan_->keys[1]);
  if (spec_.key.empty()) good = Refuse("key", "a join needs at least one key field");
  if (!good) return false;
  if (with_key.size() != spec_.key.size()) {
    return Refuse("withKey", "key has " + std::to_string(spec_.key.size()) +
                                 " fields, withKey has " + std::to_string(with_key.size()));
  }
  for (size_t i = 0; i < spec_.key.size(); ++i) {
    const Type left = plan_->keys[0].types[i].AsRequired();
    const Type right = plan_->keys[1].types[i].AsRequired();
    plan_->key_types.push_back(left);
    if (left == right) continue;
    good =
        Refuse(std::string(member) + "[" + std::to_string(i) + "]",
               "\"" + with_key[i] + "\" of \"" + spec_.with + "\" is of type " + right.ToString() +
                   ", but \"" + spec_.key[i] + "\" is of type " + left.ToString());
  }
  return good;
}

bool JoinPlanner::PlanWindow() {
  if (std::holds_alternative<api::BatchWindow>(spec_.window)) return true;
  if (const auto* window = std::get_if<api::GlobalWindow>(&spec_.window))
    return CheckGlobal(*window);
  if (const auto* window = std::get_if<api::TumblingWindow>(&spec_.window)) {
    return CheckTumbling(*window);
  }
  if (const auto* window = std::get_if<api::IntervalWindow>(&spec_.window)) {
    return CheckInterval(*window);
  }
  return Refuse("window", "a join has one of the windows batch, global, tumbling, interval");
}

bool JoinPlanner::CheckGlobal(const api::GlobalWindow& window) {
  plan_->window = JoinWindow::kGlobal;
  if (window.ttl) plan_->ttl = window.ttl->count();
  if (window.ttl && *window.ttl <= Duration(0)) {
    return Refuse("window.global.ttl", "must be more than 0s");
  }
  if (!plan_->keeps_left && !plan_->keeps_right) return true;
  return Refuse("type",
                "a global window never ends, so a row is never known to have no partner; use "
                "Inner, or an interval or tumbling window");
}

bool JoinPlanner::CheckTumbling(const api::TumblingWindow& window) {
  plan_->window = JoinWindow::kTumbling;
  plan_->length = window.length.count();
  plan_->offset = window.offset.count();
  return window.length > Duration(0) || Refuse("window.tumbling.length", "must be more than 0s");
}

bool JoinPlanner::CheckInterval(const api::IntervalWindow& window) {
  plan_->window = JoinWindow::kInterval;
  plan_->before = window.before.count();
  plan_->after = window.after.count();
  if (plan_->before >= 0 && plan_->after >= 0) return true;
  return Refuse("window.interval", "before and after must not be negative");
}

bool JoinPlanner::PlanTime() {
  StepEnv other = env_;
  other.input = env_.other;
  const bool both = env_.input.has_event_time && env_.other.has_event_time;
  std::optional<api::TimeDomain> wanted = spec_.time;
  if (!wanted) wanted = both ? api::TimeDomain::kEvent : api::TimeDomain::kProcessing;
  const bool event = *wanted == api::TimeDomain::kEvent;
  if (event && !both) {
    return Refuse("time",
                  "Event needs event time on both sides; give both sources eventTime or use "
                  "Processing");
  }
  ResolveTime(env_, wanted, &plan_->time[0]);
  ResolveTime(other, wanted, &plan_->time[1]);
  plan_->both_event_times = both;
  plan_->event_time_columns[0] = env_.input.schema.Find(kEventTimeField);
  plan_->event_time_columns[1] = env_.other.schema.Find(kEventTimeField);
  const int64_t interval = env_.batch_interval.count();
  if (event || plan_->window != JoinWindow::kTumbling || interval <= 0) return true;
  if (plan_->length % interval == 0 && plan_->offset % interval == 0) return true;
  return Refuse("window.tumbling.length",
                "a processing-time window must be a multiple of batchInterval (" +
                    FormatDuration(env_.batch_interval) + ")");
}

void JoinPlanner::PlanRule() {
  std::set<int> sources(env_.input.watermark.sources.begin(), env_.input.watermark.sources.end());
  sources.insert(env_.other.watermark.sources.begin(), env_.other.watermark.sources.end());
  plan_->rule.sources.assign(sources.begin(), sources.end());
  plan_->rule.hold_back = std::max(env_.input.watermark.hold_back, env_.other.watermark.hold_back);
  plan_->rule.cascaded = env_.input.watermark.cascaded || env_.other.watermark.cascaded;
}

// How column `left` of the left input appears in the output; outer joins change its type.
JoinColumn JoinPlanner::SourceOf(int left, Field* field) const {
  JoinColumn column{JoinColumn::From::kLeft, left, -1};
  if (field->name == kEventTimeField) {
    column.from = JoinColumn::From::kEventTime;
    if (!plan_->output_event_time) field->type = field->type.AsNullable();
    return column;
  }
  if (!plan_->keeps_right) return column;
  if (field->name == kBatchTimeField) {
    column.from = JoinColumn::From::kBatchTime;
    return column;
  }
  const KeyPlan& key = plan_->keys[0];
  const auto it = std::find(key.columns.begin(), key.columns.end(), left);
  if (it == key.columns.end()) {
    field->type = field->type.AsNullable();
    return column;
  }
  const auto i = static_cast<size_t>(it - key.columns.begin());
  column.from = JoinColumn::From::kKey;
  column.right = plan_->keys[1].columns[i];
  if (plan_->keys[1].types[i].nullable()) field->type = field->type.AsNullable();
  return column;
}

bool JoinPlanner::PlanColumns() {
  plan_->output_event_time =
      env_.input.has_event_time && (env_.other.has_event_time || !plan_->keeps_right);
  for (size_t i = 0; i < env_.input.schema.size(); ++i) {
    Field field = env_.input.schema[i];
    const JoinColumn column = SourceOf(static_cast<int>(i), &field);
    AddColumn(std::move(field), column);
  }
  const std::string as = spec_.as.empty() ? spec_.with : spec_.as;
  bool good = CheckNewField(env_, schema_, as, env_.path + ".as");
  std::vector<Field> members;
  for (size_t i = 0; i < env_.other.schema.size(); ++i) {
    if (Schema::IsHidden(env_.other.schema[i].name)) continue;
    members.push_back(env_.other.schema[i]);
    plan_->right_columns.push_back(static_cast<int>(i));
  }
  plan_->right_type = Type::Struct(std::move(members));
  if (plan_->keeps_left) plan_->right_type = plan_->right_type.AsNullable();
  AddColumn({as, plan_->right_type}, {JoinColumn::From::kRight, -1, -1});
  if (plan_->window == JoinWindow::kTumbling) {
    for (const char* name : {kWindowStart, kWindowEnd}) {
      good &= CheckNewField(env_, schema_, name, env_.path + ".window",
                            "drop or rename it in front of the join");
    }
    AddColumn({kWindowStart, Type(Kind::kTimestamp)}, {JoinColumn::From::kWindowStart, -1, -1});
    AddColumn({kWindowEnd, Type(Kind::kTimestamp)}, {JoinColumn::From::kWindowEnd, -1, -1});
  }
  plan_->schema = std::make_shared<Schema>(schema_);
  return good;
}

}  // namespace

int64_t JoinPlan::Now(const BatchContext& context) const {
  StepTime clock = time[0];
  clock.rule = rule;
  return clock.Now(context);
}

int64_t JoinPlan::LateBefore(const BatchContext& context) const {
  StepTime clock = time[0];
  clock.rule = rule;
  return clock.LateBefore(context);
}

WatermarkRule JoinPlan::OutputWatermark() const {
  WatermarkRule output = rule;
  if (window == JoinWindow::kInterval) {
    output.hold_back += Duration(keeps_right ? std::max(before, after) : after);
  }
  // Rows without a partner, and those of a closed window, leave when the watermark has passed them.
  output.cascaded |= window == JoinWindow::kTumbling ||
                     (window == JoinWindow::kInterval && (keeps_left || keeps_right));
  return output;
}

bool PlanJoin(const api::JoinStep& spec, const StepEnv& env, JoinPlan* plan) {
  return JoinPlanner(spec, env, plan).Plan();
}

}  // namespace millrace::worker
