#include "worker/plan/logical.h"

#include <algorithm>
#include <set>
#include <utility>

#include "crds/base/text.h"
#include "worker/plan/project_step.h"
#include "worker/plan/stream_order.h"
#include "worker/sink/factory.h"
#include "worker/source/factory.h"

namespace millrace::worker {
namespace {

bool KeepsSchema(const api::StepKind& kind);

// Builds the nodes of one job over given source schemas.
class LogicalBuilder {
 public:
  LogicalBuilder(const api::StreamingJob& job, const StepNeeds* needs, api::Diagnostics* diagnostics)
      : job_(job), needs_(needs), diagnostics_(diagnostics) {}

  LogicalPlan Build(const SourceSchemas& sources);

 private:
  void AddSource(int source, const Schema& schema);
  void AddDeadLetters();
  void AddTables();
  void AddStream(int stream);
  int AddStep(int stream, int step, int input);
  void FillNarrow(const api::StepKind& kind, const StepEnv& env, LogicalNode* node);
  void FillKeyed(const api::StepKind& kind, const StepEnv& env, LogicalNode* node);
  int AddUnion(const api::UnionStep& step, LogicalNode node, const StepEnv& env);
  int AddProjection(int input, const SchemaRef& target, const std::string& id);
  bool FindStream(const std::string& name, const std::string& path, int* node);
  StepEnv EnvFor(int stream, int step, int input) const;
  std::optional<std::set<std::string>> NeededFields(const std::string& path, const Schema& input) const;
  int Append(LogicalNode node) {
    plan_.nodes.push_back(std::move(node));
    return static_cast<int>(plan_.nodes.size()) - 1;
  }

  const api::StreamingJob& job_;
  const StepNeeds* needs_;  // null: every field of every step
  api::Diagnostics* diagnostics_;
  LogicalPlan plan_;
};

LogicalPlan LogicalBuilder::Build(const SourceSchemas& sources) {
  for (size_t i = 0; i < sources.size(); ++i) AddSource(static_cast<int>(i), sources[i]);
  AddDeadLetters();
  AddTables();
  for (const int stream : OrderStreams(job_, diagnostics_)) {
    AddStream(stream);
    AddTables();
  }
  return std::move(plan_);
}

void LogicalBuilder::AddSource(int source, const Schema& schema) {
  const api::Source& spec = job_.spec.sources[source];
  LogicalNode node;
  node.kind = LogicalNode::Kind::kSource;
  node.id = spec.name;
  node.path = "spec.sources[" + std::to_string(source) + "]";
  node.source = source;
  node.output = {schema, {{source}, Duration(0), false}, spec.event_time.has_value(), false, {}};
  if (spec.event_time) {
    std::vector<Field> names;
    for (const Field& field : schema.fields()) {
      if (field.name != kEventTimeField) names.push_back(field);
    }
    StepEnv env;
    env.diagnostics = diagnostics_;
    const Type expected(Kind::kTimestamp, true);
    node.event_time = CompileExpression(env, ExprEnv{Schema(names), {}}, spec.event_time->timestamp_expr,
                                        node.path + ".eventTime.timestampExpr", &expected);
  }
  plan_.by_name[spec.name] = Append(std::move(node));
}

void LogicalBuilder::AddDeadLetters() {
  LogicalNode node;
  node.kind = LogicalNode::Kind::kDeadLetters;
  node.id = kDeadLetterStream;
  node.output.schema = DeadLetters::RowSchema();
  node.dead_letters = true;
  plan_.by_name[std::string(kDeadLetterStream)] = Append(std::move(node));
}

// Declares every table whose schema is known by now.
void LogicalBuilder::AddTables() {
  for (size_t i = 0; i < job_.spec.tables.size(); ++i) {
    const api::Table& table = job_.spec.tables[i];
    if (plan_.tables.contains(table.name)) continue;
    const std::string path = "spec.tables[" + std::to_string(i) + "]";
    TableDeclaration declaration{table.name, {}};
    if (const auto* fed = std::get_if<api::StreamTable>(&table.kind)) {
      const auto it = plan_.by_name.find(fed->from);
      if (it == plan_.by_name.end()) continue;
      std::vector<Field> visible;
      for (const Field& field : plan_.nodes[it->second].output.schema.fields()) {
        if (!Schema::IsHidden(field.name)) visible.push_back(field);
      }
      declaration.schema = Schema(std::move(visible));
      StepEnv env;
      env.diagnostics = diagnostics_;
      env.path = path;
      ResolveFields(env, declaration.schema, table.key, "key");
    } else {
      Result<Schema> schema = TableSchema(table, diagnostics_, path);
      if (!schema.ok()) continue;
      declaration.schema = *std::move(schema);
    }
    plan_.tables[table.name] = std::move(declaration);
  }
}

bool LogicalBuilder::FindStream(const std::string& name, const std::string& path, int* node) {
  const auto it = plan_.by_name.find(name);
  if (it != plan_.by_name.end()) {
    *node = it->second;
    return true;
  }
  // An unknown name was reported when the manifest was read; a known one has errors of its own.
  if (!api::HasErrors(*diagnostics_)) api::AddError(diagnostics_, path, "no stream or source \"" + name + "\"");
  return false;
}

void LogicalBuilder::AddStream(int stream) {
  const api::Stream& spec = job_.spec.streams[stream];
  int node = 0;
  if (!FindStream(spec.from, "spec.streams[" + std::to_string(stream) + "].from", &node)) return;
  for (size_t step = 0; step < spec.steps.size(); ++step) {
    node = AddStep(stream, static_cast<int>(step), node);
    if (node < 0) return;
  }
  plan_.by_name[spec.name] = node;
  plan_.order.push_back(spec.name);
}

// The fields of `input` that are read behind the step at `path`.
std::optional<std::set<std::string>> LogicalBuilder::NeededFields(const std::string& path, const Schema& input) const {
  if (needs_ == nullptr) return std::nullopt;
  const auto it = needs_->find(path);
  if (it == needs_->end()) return std::nullopt;
  std::set<std::string> names;
  for (const Field& field : input.fields()) {
    if (it->second.Needs(field.name)) names.insert(field.name);
  }
  return names;
}

StepEnv LogicalBuilder::EnvFor(int stream, int step, int input) const {
  const api::Stream& spec = job_.spec.streams[stream];
  const api::Step& step_spec = spec.steps[step];
  StepEnv env;
  env.origin = spec.name + "." + step_spec.name;
  env.path = "spec.streams[" + std::to_string(stream) + "].steps[" + std::to_string(step) + "]." + api::StepKindName(step_spec.kind);
  env.input = plan_.nodes[input].output;
  for (const auto& [name, declaration] : plan_.tables) env.tables.push_back(declaration);
  for (const api::Table& table : job_.spec.tables) env.table_keys[table.name] = table.key;
  env.on_error = step_spec.on_error.value_or(job_.spec.on_error);
  env.batch_interval = job_.spec.batch_interval;
  env.groups = job_.spec.max_parallelism;
  env.needed = NeededFields(env.path, env.input.schema);
  env.diagnostics = diagnostics_;
  return env;
}

int LogicalBuilder::AddStep(int stream, int step, int input) {
  StepEnv env = EnvFor(stream, step, input);
  LogicalNode node;
  node.id = env.origin;
  node.path = env.path;
  node.inputs = {input};
  node.step = &job_.spec.streams[stream].steps[step];
  node.dead_letters = plan_.nodes[input].dead_letters;
  node.output = plan_.nodes[input].output;
  const api::StepKind& kind = node.step->kind;
  if (const auto* merged = std::get_if<api::UnionStep>(&kind)) return AddUnion(*merged, std::move(node), env);
  if (const auto* join = std::get_if<api::JoinStep>(&kind)) {
    int other = 0;
    if (!FindStream(join->with, env.path + ".with", &other)) return -1;
    env.other = plan_.nodes[other].output;
    node.inputs.push_back(other);
    node.dead_letters |= plan_.nodes[other].dead_letters;
  }
  FillNarrow(kind, env, &node);
  if (node.narrow == nullptr) FillKeyed(kind, env, &node);
  if (node.narrow == nullptr && node.keyed == nullptr && !KeepsSchema(kind)) return -1;
  return Append(std::move(node));  // a wrong step that keeps its input's schema lets the steps behind it be checked too
}

void LogicalBuilder::FillNarrow(const api::StepKind& kind, const StepEnv& env, LogicalNode* node) {
  if (const auto* step = std::get_if<api::MapStep>(&kind)) node->narrow = MakeMapStep(*step, env);
  if (const auto* step = std::get_if<api::SetStep>(&kind)) node->narrow = MakeSetStep(*step, env);
  if (const auto* step = std::get_if<api::DropStep>(&kind)) node->narrow = MakeDropStep(*step, env);
  if (const auto* step = std::get_if<api::FlatMapStep>(&kind)) node->narrow = MakeFlatMapStep(*step, env);
  if (const auto* step = std::get_if<api::FilterStep>(&kind)) node->narrow = MakeFilterStep(*step, env);
  if (const auto* step = std::get_if<api::LookupStep>(&kind)) node->narrow = MakeLookupStep(*step, env);
  if (const auto* step = std::get_if<api::SampleStep>(&kind)) node->narrow = MakeSampleStep(*step, env);
  if (node->narrow == nullptr) return;
  node->kind = LogicalNode::Kind::kNarrow;
  node->output.schema = *node->narrow->output_schema();
}

void LogicalBuilder::FillKeyed(const api::StepKind& kind, const StepEnv& env, LogicalNode* node) {
  if (const auto* step = std::get_if<api::AggregateStep>(&kind)) node->keyed = MakeAggregateStep(*step, env);
  if (const auto* step = std::get_if<api::TopStep>(&kind)) node->keyed = MakeTopStep(*step, env);
  if (const auto* step = std::get_if<api::JoinStep>(&kind)) node->keyed = MakeJoinStep(*step, env);
  if (const auto* step = std::get_if<api::DedupStep>(&kind)) node->keyed = MakeDedupStep(*step, env);
  if (const auto* step = std::get_if<api::StateStep>(&kind)) node->keyed = MakeStateStep(*step, env);
  if (const auto* step = std::get_if<api::RepartitionStep>(&kind)) node->keyed = MakeRepartitionStep(*step, env);
  if (node->keyed == nullptr) return;
  const KeyedStep& keyed = *node->keyed;
  node->kind = LogicalNode::Kind::kKeyed;
  node->output = {*keyed.output_schema(), keyed.output_watermark(), keyed.output_has_event_time(), keyed.output_updating(), keyed.update_key()};
}

bool KeepsSchema(const api::StepKind& kind) {
  return std::holds_alternative<api::FilterStep>(kind) || std::holds_alternative<api::SampleStep>(kind) ||
         std::holds_alternative<api::DedupStep>(kind) || std::holds_alternative<api::RepartitionStep>(kind);
}

std::string VisibleText(const Schema& schema) { return schema.ToString(); }

bool SameVisible(const Schema& a, const Schema& b) {
  const auto visible = [](const Schema& schema) {
    std::map<std::string, Type> fields;
    for (const Field& field : schema.fields()) {
      if (!Schema::IsHidden(field.name)) fields[field.name] = field.type;
    }
    return fields;
  };
  return visible(a) == visible(b);
}

// Fields that all inputs have, in the first one's order.
SchemaRef CommonSchema(const std::vector<const Schema*>& schemas) {
  std::vector<Field> common;
  for (const Field& field : schemas.front()->fields()) {
    const bool everywhere = std::all_of(schemas.begin(), schemas.end(), [&](const Schema* schema) {
      const int i = schema->Find(field.name);
      return i >= 0 && (*schema)[i].type == field.type;
    });
    if (everywhere) common.push_back(field);
  }
  return std::make_shared<Schema>(std::move(common));
}

int LogicalBuilder::AddProjection(int input, const SchemaRef& target, const std::string& id) {
  if (plan_.nodes[input].output.schema == *target) return input;
  LogicalNode node = plan_.nodes[input];
  node.kind = LogicalNode::Kind::kNarrow;
  node.id = id;
  node.inputs = {input};
  node.step = nullptr;
  node.keyed = nullptr;
  node.narrow = MakeProjectStep(target);
  node.output.schema = *target;
  return Append(std::move(node));
}

int LogicalBuilder::AddUnion(const api::UnionStep& step, LogicalNode node, const StepEnv& env) {
  const Schema first = env.input.schema;
  std::vector<int> inputs{node.inputs.front()};
  bool good = true;
  for (size_t i = 0; i < step.streams.size(); ++i) {
    int other = 0;
    const std::string path = env.path + "[" + std::to_string(i) + "]";
    if (!FindStream(step.streams[i], path, &other)) return -1;
    const Schema& schema = plan_.nodes[other].output.schema;
    if (!SameVisible(first, schema)) {
      api::AddError(diagnostics_, path, "union needs equal schemas: this stream has " + VisibleText(first) + ", \"" + step.streams[i] + "\" has " + VisibleText(schema));
      good = false;
    }
    inputs.push_back(other);
  }
  if (!good) return -1;
  std::vector<const Schema*> schemas;
  for (const int input : inputs) schemas.push_back(&plan_.nodes[input].output.schema);
  const SchemaRef common = CommonSchema(schemas);
  std::set<int> sources;
  for (int& input : inputs) {
    const StepInput output = plan_.nodes[input].output;
    sources.insert(output.watermark.sources.begin(), output.watermark.sources.end());
    node.output.watermark.hold_back = std::max(node.output.watermark.hold_back, output.watermark.hold_back);
    node.output.watermark.cascaded |= output.watermark.cascaded;
    node.output.has_event_time &= output.has_event_time;
    node.output.updating |= output.updating;
    node.dead_letters |= plan_.nodes[input].dead_letters;
    input = AddProjection(input, common, node.id);
  }
  node.kind = LogicalNode::Kind::kUnion;
  node.inputs = inputs;
  node.output.schema = *common;
  node.output.watermark.sources.assign(sources.begin(), sources.end());
  return Append(std::move(node));
}

}  // namespace

bool ReadsDeadLetters(const api::StreamingJob& job) {
  const auto from_dead = [](const auto& item) { return item.from == kDeadLetterStream; };
  const auto table_from_dead = [](const api::Table& table) {
    const auto* fed = std::get_if<api::StreamTable>(&table.kind);
    return fed != nullptr && fed->from == kDeadLetterStream;
  };
  return std::any_of(job.spec.streams.begin(), job.spec.streams.end(), from_dead) ||
         std::any_of(job.spec.sinks.begin(), job.spec.sinks.end(), from_dead) ||
         std::any_of(job.spec.tables.begin(), job.spec.tables.end(), table_from_dead);
}

SourceSchemas FullSourceSchemas(const api::StreamingJob& job, api::Diagnostics* diagnostics) {
  SourceSchemas schemas;
  const bool dead_letters = ReadsDeadLetters(job);
  for (size_t i = 0; i < job.spec.sources.size(); ++i) {
    const api::Source& source = job.spec.sources[i];
    Result<Schema> declared = SourceSchema(source, diagnostics, "spec.sources[" + std::to_string(i) + "]");
    Schema schema = declared.ok() ? *std::move(declared) : Schema();
    schema.Set({std::string(kBatchTimeField), Type(Kind::kTimestamp)});
    schema.Set({std::string(kSourceField), Type(Kind::kString)});
    schema.Set({std::string(kEventTimeField), Type(Kind::kTimestamp, !source.event_time.has_value())});
    schema.Set({std::string(kPositionField), Type(Kind::kUint)});
    if (dead_letters && source.format) schema.Set({std::string(kRawField), Type(Kind::kBytes)});
    schemas.push_back(std::move(schema));
  }
  return schemas;
}

SchemaRef PayloadSchema(const api::Source& source, const Schema& record) {
  const bool generated = !source.format.has_value();
  std::vector<Field> fields;
  for (const Field& field : record.fields()) {
    if (!Schema::IsHidden(field.name) || (generated && field.name == kPositionField)) fields.push_back(field);
  }
  return std::make_shared<Schema>(std::move(fields));
}

SchemaRef WantedSchema(const Schema& record) {
  std::vector<Field> fields;
  for (const Field& field : record.fields()) {
    const bool ours = field.name == kBatchTimeField || field.name == kSourceField || field.name == kEventTimeField || field.name == kRawField;
    if (!ours) fields.push_back(field);
  }
  return std::make_shared<Schema>(std::move(fields));
}

LogicalPlan BuildLogical(const api::StreamingJob& job, const SourceSchemas& sources, const StepNeeds* needs,
                         api::Diagnostics* diagnostics) {
  return LogicalBuilder(job, needs, diagnostics).Build(sources);
}

}  // namespace millrace::worker
