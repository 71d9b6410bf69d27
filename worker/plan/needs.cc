#include "worker/plan/logical.h"
#include "worker/sink/factory.h"

// Backward pass: from what sinks and tables write to what sources must read.
namespace millrace::worker {
namespace {

// Fields the step itself adds, so that nothing in front of it has to provide them.
std::vector<std::string> AddedFields(const api::StepKind& kind) {
  std::vector<std::string> names;
  if (const auto* step = std::get_if<api::SetStep>(&kind)) {
    for (const auto& [name, text] : step->fields) names.push_back(name);
  }
  if (const auto* step = std::get_if<api::FlatMapStep>(&kind)) names.push_back(step->field);
  if (const auto* step = std::get_if<api::LookupStep>(&kind)) names.push_back(step->as);
  if (const auto* step = std::get_if<api::JoinStep>(&kind)) names.push_back(step->as);
  return names;
}

FieldNeeds HiddenPart(const FieldNeeds& needs, const Schema& schema) {
  FieldNeeds hidden;
  for (const Field& field : schema.fields()) {
    if (Schema::IsHidden(field.name) && needs.Needs(field.name)) hidden.AddField(field.name);
  }
  return hidden;
}

// What of its first input the step must be given so that `out` of its result can be made.
FieldNeeds PassedOn(const LogicalNode& node, const FieldNeeds& out, const Schema& input) {
  if (node.step == nullptr) return out;
  if (std::holds_alternative<api::MapStep>(node.step->kind)) return HiddenPart(out, input);
  if (node.keyed != nullptr && !node.keyed->passes_rows()) return {};
  FieldNeeds passed = out;
  for (const std::string& name : AddedFields(node.step->kind)) passed.Remove(name);
  return passed;
}

void AddInputNeeds(const LogicalPlan& plan, const LogicalNode& node, const FieldNeeds& out,
                   std::vector<FieldNeeds>* needs) {
  if (node.kind == LogicalNode::Kind::kUnion) {
    for (const int input : node.inputs) (*needs)[input].AddAll();
    return;
  }
  if (node.inputs.empty()) return;
  const int input = node.inputs.front();
  (*needs)[input].Add(PassedOn(node, out, plan.nodes[input].output.schema));
  if (node.narrow != nullptr) (*needs)[input].AddUses(node.narrow->uses());
  if (node.keyed == nullptr) return;
  (*needs)[input].AddUses(node.keyed->uses(0));
  if (node.inputs.size() < 2) return;
  const auto& join = std::get<api::JoinStep>(node.step->kind);
  (*needs)[node.inputs[1]].Add(out.Inside(join.as));
  (*needs)[node.inputs[1]].AddUses(node.keyed->uses(1));
}

// What dead letters say of a Kafka record.
FieldNeeds OriginNeeds() {
  FieldNeeds needs;
  for (const std::string_view name :
       {kMessageKeyField, std::string_view("__topic"), std::string_view("__partition"),
        std::string_view("__offset")}) {
    needs.AddField(std::string(name));
  }
  return needs;
}

}  // namespace

JobNeeds ComputeNeeds(const api::StreamingJob& job, const LogicalPlan& plan) {
  std::vector<FieldNeeds> needs(plan.nodes.size());
  const bool dead_letters = ReadsDeadLetters(job);
  for (const api::Sink& sink : job.spec.sinks) {
    const auto it = plan.by_name.find(sink.from);
    if (it == plan.by_name.end()) continue;
    for (const std::string& name : SinkUses(sink, plan.nodes[it->second].output.schema))
      needs[it->second].AddField(name);
    needs[it->second].AddField(std::string(kDeletedField));
  }
  for (const api::Table& table : job.spec.tables) {
    const auto* fed = std::get_if<api::StreamTable>(&table.kind);
    if (fed == nullptr) continue;
    if (const auto it = plan.by_name.find(fed->from); it != plan.by_name.end())
      needs[it->second].AddAll();
  }
  for (size_t i = plan.nodes.size(); i-- > 0;) {
    const LogicalNode& node = plan.nodes[i];
    for (const std::string& name : node.output.update_key) needs[i].AddField(name);
    if (node.output.updating) needs[i].AddField(std::string(kDeletedField));
    if (node.output.has_event_time) needs[i].AddField(std::string(kEventTimeField));
    needs[i].AddField(std::string(kRawField));
    if (dead_letters) needs[i].Add(OriginNeeds());
    AddInputNeeds(plan, node, needs[i], &needs);
    if (node.event_time != nullptr) needs[i].AddUses(node.event_time->uses());
  }
  JobNeeds result;
  result.sources.resize(job.spec.sources.size());
  for (size_t i = 0; i < plan.nodes.size(); ++i) {
    if (plan.nodes[i].source >= 0) result.sources[plan.nodes[i].source] = needs[i];
    if (plan.nodes[i].step != nullptr) result.steps[plan.nodes[i].path] = needs[i];
  }
  return result;
}

}  // namespace millrace::worker
