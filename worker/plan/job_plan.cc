#include "worker/plan/job_plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "crds/api/findings.h"
#include "crds/base/text.h"
#include "worker/plan/expression_texts.h"
#include "worker/plan/logical.h"
#include "worker/sink/factory.h"
#include "worker/source/factory.h"

namespace millrace::worker {
namespace {

// A node of a stage's pipeline where a logical node's rows appear.
struct Place {
  int stage = 0;
  int node = 0;
};

// Hidden fields that cost something and that only some jobs read.
Schema WithoutUnusedHidden(const api::StreamingJob& job, const Schema& schema) {
  bool samples = false;
  for (const api::Stream& stream : job.spec.streams) {
    for (const api::Step& step : stream.steps)
      samples |= std::holds_alternative<api::SampleStep>(step.kind);
  }
  std::vector<Field> fields;
  for (const Field& field : schema.fields()) {
    if (field.name != kPositionField || samples) fields.push_back(field);
  }
  return Schema(std::move(fields));
}

// Cuts a typed job into stages.
class StageBuilder {
 public:
  StageBuilder(const api::StreamingJob& job, const LogicalPlan& logical, JobPlan* plan)
      : job_(job), logical_(logical), plan_(plan) {}

  void Build() {
    plan_->tables = std::make_unique<BatchTables>();
    plan_->inputs.resize(job_.spec.sources.size());
    plan_->input_stages.resize(job_.spec.sources.size(), -1);
    places_.resize(logical_.nodes.size());
    MarkLive();
    AddNodes(false);
    plan_->first_dead_letter_stage = static_cast<int>(plan_->graph.stages.size());
    AddNodes(true);
    AddEnds();
    ConnectDeadLetters();
  }

 private:
  void MarkLive();
  void AddNodes(bool dead_letters);
  void AddSource(int index, const LogicalNode& node);
  void AddDeadLetterStage(int index);
  void AddNarrow(int index, const LogicalNode& node);
  void AddKeyed(int index, const LogicalNode& node);
  void AddEnds();
  void AddEnd(PlanEnd end, int node);
  void ConnectDeadLetters();
  int AddStage(const std::string& id, const std::string& description, int units,
               std::unique_ptr<StageLogic> logic, Pipeline* pipeline);
  int AddEdge(const std::string& description, int target);
  std::vector<int> EndNodes() const;

  const api::StreamingJob& job_;
  const LogicalPlan& logical_;
  JobPlan* plan_;
  std::vector<bool> live_;
  std::vector<std::vector<Place>> places_;
  std::vector<Pipeline*> pipelines_;  // by stage
};

std::vector<int> StageBuilder::EndNodes() const {
  std::vector<int> nodes;
  for (const api::Sink& sink : job_.spec.sinks) nodes.push_back(logical_.by_name.at(sink.from));
  for (const api::Table& table : job_.spec.tables) {
    if (const auto* fed = std::get_if<api::StreamTable>(&table.kind))
      nodes.push_back(logical_.by_name.at(fed->from));
  }
  return nodes;
}

void StageBuilder::MarkLive() {
  live_.assign(logical_.nodes.size(), false);
  for (const int node : EndNodes()) live_[node] = true;
  for (size_t i = logical_.nodes.size(); i-- > 0;) {
    if (!live_[i]) continue;
    for (const int input : logical_.nodes[i].inputs) live_[input] = true;
  }
}

void StageBuilder::AddNodes(bool dead_letters) {
  for (size_t i = 0; i < logical_.nodes.size(); ++i) {
    const LogicalNode& node = logical_.nodes[i];
    if (!live_[i] || node.dead_letters != dead_letters) continue;
    const int index = static_cast<int>(i);
    switch (node.kind) {
      case LogicalNode::Kind::kSource:
        AddSource(index, node);
        break;
      case LogicalNode::Kind::kDeadLetters:
        AddDeadLetterStage(index);
        break;
      case LogicalNode::Kind::kNarrow:
        AddNarrow(index, node);
        break;
      case LogicalNode::Kind::kKeyed:
        AddKeyed(index, node);
        break;
      case LogicalNode::Kind::kUnion:
        for (const int input : node.inputs) {
          places_[index].insert(places_[index].end(), places_[input].begin(), places_[input].end());
        }
        break;
    }
  }
}

int StageBuilder::AddStage(const std::string& id, const std::string& description, int units,
                           std::unique_ptr<StageLogic> logic, Pipeline* pipeline) {
  StageSpec spec;
  spec.id = id;
  spec.description = description;
  spec.units = units;
  spec.logic = std::move(logic);
  plan_->graph.stages.push_back(std::move(spec));
  pipelines_.push_back(pipeline);
  return static_cast<int>(plan_->graph.stages.size()) - 1;
}

int StageBuilder::AddEdge(const std::string& description, int target) {
  plan_->graph.edges.push_back({description, target});
  const int edge = static_cast<int>(plan_->graph.edges.size()) - 1;
  plan_->graph.stages[target].input_edges.push_back(edge);
  return edge;
}

void StageBuilder::AddSource(int index, const LogicalNode& node) {
  const api::Source& source = job_.spec.sources[node.source];
  InputSpec spec;
  spec.name = source.name;
  spec.source_index = node.source;
  spec.units = PartitionsOf(source);
  spec.on_error = source.on_error.value_or(job_.spec.on_error);
  spec.format = source.format;
  spec.payload = PayloadSchema(source, node.output.schema);
  if (const auto* kafka = std::get_if<api::KafkaSource>(&source.kind)) {
    spec.refuse_nulls = kafka->tombstones == api::KafkaSource::Tombstones::kError;
  }
  spec.record = std::make_shared<Schema>(node.output.schema);
  spec.event_time = node.event_time;
  if (source.event_time) spec.max_future = source.event_time->max_future;
  auto stage = std::make_unique<InputStage>(std::move(spec), plan_->tables.get());
  plan_->inputs[node.source] = stage.get();
  Pipeline* pipeline = &stage->pipeline();
  const int number = AddStage(source.name, "read " + source.name, PartitionsOf(source),
                              std::move(stage), pipeline);
  plan_->input_stages[node.source] = number;
  places_[index] = {{number, 0}};
}

void StageBuilder::AddDeadLetterStage(int index) {
  auto stage = std::make_unique<RelayStage>(std::string(kDeadLetterStream), plan_->tables.get());
  Pipeline* pipeline = &stage->pipeline();
  const int number =
      AddStage(std::string(kDeadLetterStream), "dead letters", 1, std::move(stage), pipeline);
  plan_->dead_letter_edge = AddEdge("dead letters", number);
  places_[index] = {{number, 0}};
}

void StageBuilder::AddNarrow(int index, const LogicalNode& node) {
  for (const Place& place : places_[node.inputs.front()]) {
    places_[index].push_back(
        {place.stage, pipelines_[place.stage]->AddNode(place.node, node.id, node.narrow)});
  }
}

void StageBuilder::AddKeyed(int index, const LogicalNode& node) {
  // The stage's number is needed for its edges, and its edges for the stage: edges are numbered
  // first.
  const int number = static_cast<int>(plan_->graph.stages.size());
  const int first_edge = static_cast<int>(plan_->graph.edges.size());
  std::vector<int> edges;
  for (int input = 0; input < node.keyed->num_inputs(); ++input)
    edges.push_back(first_edge + input);
  auto stage = std::make_unique<KeyedStage>(node.id, node.keyed, edges, plan_->tables.get());
  Pipeline* pipeline = &stage->pipeline();
  AddStage(node.id, node.keyed->description(), node.keyed->units(), std::move(stage), pipeline);
  for (size_t input = 0; input < edges.size(); ++input) {
    AddEdge(node.keyed->description(), number);
    for (const Place& place : places_[node.inputs[input]]) {
      pipelines_[place.stage]
          ->node(place.node)
          .exchanges.push_back({edges[input], node.keyed, static_cast<int>(input)});
    }
  }
  places_[index] = {{number, 0}};
}

void StageBuilder::AddEnd(PlanEnd end, int node) {
  const LogicalNode& from = logical_.nodes[node];
  end.schema = std::make_shared<Schema>(from.output.schema);
  end.updating = from.output.updating;
  end.update_key = from.output.update_key;
  end.dead_letters = from.dead_letters;
  const int number = plan_->graph.ends++;
  for (const Place& place : places_[node])
    pipelines_[place.stage]->node(place.node).ends.push_back(number);
  plan_->ends.push_back(std::move(end));
}

void StageBuilder::AddEnds() {
  for (size_t i = 0; i < job_.spec.sinks.size(); ++i) {
    const std::string& from = job_.spec.sinks[i].from;
    AddEnd({PlanEnd::Kind::kSink, static_cast<int>(i), from, nullptr, false, {}, false},
           logical_.by_name.at(from));
  }
  for (size_t i = 0; i < job_.spec.tables.size(); ++i) {
    const auto* fed = std::get_if<api::StreamTable>(&job_.spec.tables[i].kind);
    if (fed == nullptr) continue;
    AddEnd({PlanEnd::Kind::kTable, static_cast<int>(i), fed->from, nullptr, false, {}, false},
           logical_.by_name.at(fed->from));
  }
}

// Every stage in front of the dead-letter stage sends its bad rows there.
void StageBuilder::ConnectDeadLetters() {
  if (plan_->dead_letter_edge < 0) return;
  for (int stage = 0; stage < plan_->first_dead_letter_stage; ++stage) {
    pipelines_[stage]->dead_letter_edge = plan_->dead_letter_edge;
  }
}

void Describe(const api::StreamingJob& job, const LogicalPlan& full, JobPlan* plan) {
  for (const api::Source& source : job.spec.sources) {
    plan->streams.push_back(
        {source.name, "source", full.nodes[full.by_name.at(source.name)].output.schema, false});
  }
  for (const auto& [name, table] : full.tables)
    plan->streams.push_back({name, "table", table.schema, false});
  for (const std::string& name : full.order) {
    const StepInput& output = full.nodes[full.by_name.at(name)].output;
    plan->streams.push_back({name, "stream", output.schema, output.updating});
  }
  for (const LogicalNode& node : full.nodes) {
    if (node.kind == LogicalNode::Kind::kNarrow && node.step == nullptr)
      continue;  // a union's projection
    PlanOperation operation{node.id, "", {}, node.output.schema, node.keyed != nullptr, false, 0};
    if (node.step != nullptr) operation.description = api::StepKindName(node.step->kind);
    if (node.keyed != nullptr) {
      operation.description += ": " + node.keyed->description();
      operation.stateful = node.keyed->stateful();
      operation.units = node.keyed->units();
    }
    for (const int input : node.inputs) operation.inputs.push_back(full.nodes[input].id);
    plan->operations.push_back(std::move(operation));
  }
}

constexpr size_t kMaxShapeBytes = 16 << 10;

// One line per stateful step: what its state belongs to.
std::string ShapeOf(const LogicalPlan& logical) {
  std::vector<std::string> lines;
  for (const LogicalNode& node : logical.nodes) {
    if (node.keyed != nullptr && node.keyed->stateful())
      lines.push_back(node.id + "\t" + Excerpt(node.keyed->state_shape(), kMaxShapeBytes) + "\n");
  }
  std::sort(lines.begin(), lines.end());
  std::string shape;
  for (const std::string& line : lines) shape += line;
  return shape;
}

// The names that a sink reads, of a record of which not all fields are known.
Schema WithSinkNames(const api::Sink& sink, Schema schema, const Guess& guess) {
  for (const std::string& text : ExpressionsOf(sink)) AddNamesIn(text, guess, &schema);
  for (const std::string& name : sink.fields.value_or(std::vector<std::string>{}))
    AddNamesIn(name, guess, &schema);
  return schema;
}

void CheckSinks(const api::StreamingJob& job, const LogicalPlan& logical, const Repair& repair,
                api::Diagnostics* diagnostics) {
  for (size_t i = 0; i < job.spec.sinks.size(); ++i) {
    const api::Sink& sink = job.spec.sinks[i];
    const std::string path = "spec.sinks[" + std::to_string(i) + "]";
    const auto it = logical.by_name.find(sink.from);
    const bool open = it == logical.by_name.end() || logical.nodes[it->second].open;
    const StepInput output =
        it == logical.by_name.end() ? StepInput() : logical.nodes[it->second].output;
    api::Diagnostics found;
    CheckSink(sink, open ? WithSinkNames(sink, output.schema, repair.guess) : output.schema,
              output.updating, &found, path);
    if (open) std::erase_if(found, [](const api::Diagnostic& error) { return error.offset < 0; });
    diagnostics->insert(diagnostics->end(), found.begin(), found.end());
  }
}

// The job as it is typed under one guess.
struct Typed {
  SourceSchemas sources;
  LogicalPlan plan;
  api::Diagnostics found;
};

Typed TypeJob(const api::StreamingJob& job, const Repair& repair) {
  Typed typed;
  typed.sources = FullSourceSchemas(job, repair, &typed.found);
  typed.plan = BuildLogical(job, typed.sources, nullptr, repair, &typed.found);
  CheckSinks(job, typed.plan, repair, &typed.found);
  return typed;
}

// Those of `found` that `other` holds too.
api::Diagnostics Common(const api::Diagnostics& found, api::Diagnostics other) {
  api::Diagnostics common;
  for (const api::Diagnostic& finding : found) {
    const auto same =
        std::find_if(other.begin(), other.end(), [&](const api::Diagnostic& candidate) {
          return candidate.path == finding.path && candidate.offset == finding.offset &&
                 candidate.message == finding.message;
        });
    if (same == other.end()) continue;
    other.erase(same);
    common.push_back(finding);
  }
  return common;
}

// What is wrong whatever stands where an error hides a type.
api::Diagnostics SureErrors(const api::StreamingJob& job, const Damage& damage,
                            api::Diagnostics found) {
  for (const Guess& guess : {Guess{Type(Kind::kInt), true}, Guess{Type(Kind::kString), false},
                             Guess{Type(Kind::kTimestamp), true}}) {
    found = Common(found, TypeJob(job, {damage, guess}).found);
  }
  return found;
}

}  // namespace

Result<JobPlan> BuildPlan(const api::StreamingJob& job, api::Diagnostics* diagnostics,
                          const api::Diagnostics& shape_errors) {
  const Damage damage(shape_errors);
  const Repair repair{damage, {Type(Kind::kJson), false}};
  Typed full = TypeJob(job, repair);
  if (api::HasErrors(*diagnostics) || api::HasErrors(full.found))
    full.found = SureErrors(job, damage, std::move(full.found));
  api::AddFindings(std::move(full.found), shape_errors, diagnostics);
  if (api::HasErrors(*diagnostics)) return InvalidError("the job has errors");
  const JobNeeds needs = ComputeNeeds(job, full.plan);
  SourceSchemas pruned;
  for (size_t i = 0; i < full.sources.size(); ++i)
    pruned.push_back(WithoutUnusedHidden(job, needs.sources[i].Prune(full.sources[i])));
  api::Diagnostics again;
  const LogicalPlan logical = BuildLogical(job, pruned, &needs.steps, repair, &again);
  if (api::HasErrors(again))
    return InternalError("the pruned job does not type-check: " + again.back().path + ": " +
                         again.back().message);
  JobPlan plan;
  for (size_t i = 0; i < pruned.size(); ++i) plan.wanted.push_back(WantedSchema(pruned[i]));
  StageBuilder(job, logical, &plan).Build();
  Describe(job, full.plan, &plan);
  plan.shape = ShapeOf(logical);  // pruned: joins and top keep the rows as they are read
  return plan;
}

}  // namespace millrace::worker
