#include "worker/plan/logical.h"

#include <algorithm>
#include <set>
#include <utility>

#include "crds/api/stream_graph.h"
#include "crds/base/text.h"
#include "worker/plan/expression_texts.h"
#include "worker/plan/project_step.h"
#include "worker/plan/stream_order.h"

namespace millrace::worker {
namespace {

std::string At(const char* list, size_t index) {
  return "spec." + std::string(list) + "[" + std::to_string(index) + "]";
}

// Builds the nodes of one job over given source schemas.
class LogicalBuilder {
 public:
  LogicalBuilder(const api::StreamingJob& job, const StepNeeds* needs, const Repair& repair,
                 api::Diagnostics* diagnostics)
      : job_(job),
        needs_(needs),
        damage_(repair.damage),
        guess_(repair.guess),
        diagnostics_(diagnostics),
        flows_(api::ComputeFlows(job)) {}

  LogicalPlan Build(const SourceSchemas& sources);

 private:
  void AddSource(int source, const Schema& schema);
  void AddDeadLetters();
  void AddTables();
  TableDeclaration OpenTable(const api::Table& table) const;
  void AddStream(int stream);
  int AddStep(int stream, int step, int input);
  void Complete(int stream, int step, const Remains& remains, const StepEnv& env,
                LogicalNode* node) const;
  void FillNarrow(const api::StepKind& kind, const StepEnv& env, LogicalNode* node);
  void FillKeyed(const api::StepKind& kind, const StepEnv& env, LogicalNode* node);
  int AddUnion(const api::UnionStep& step, LogicalNode node, const StepEnv& env);
  int AddProjection(int input, const SchemaRef& target, const std::string& id);
  int FindStream(const std::string& name);
  StepEnv EnvFor(int stream, int step, int input) const;
  std::optional<std::set<std::string>> NeededFields(const std::string& path,
                                                    const Schema& input) const;
  int Append(LogicalNode node) {
    plan_.nodes.push_back(std::move(node));
    return static_cast<int>(plan_.nodes.size()) - 1;
  }

  const api::StreamingJob& job_;
  const StepNeeds* needs_;  // null: every field of every step
  const Damage& damage_;
  const Guess& guess_;
  api::Diagnostics* diagnostics_;
  const api::FlowMap flows_;
  LogicalPlan plan_;
  std::set<std::string> open_tables_;  // not all of their fields are known
  int unknown_ = -1;                   // the node that stands for streams that do not exist
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
  node.path = At("sources", source);
  node.source = source;
  const bool unreadable = needs_ == nullptr && schema.VisibleNames().empty();
  node.open =
      unreadable || damage_.OfSource(spec, node.path).open || plan_.by_name.contains(spec.name);
  node.output = {schema, {{source}, Duration(0), false}, spec.event_time.has_value(), false, {}};
  if (spec.event_time) {
    std::vector<Field> names;
    for (const Field& field : schema.fields()) {
      if (field.name != kEventTimeField) names.push_back(field);
    }
    StepEnv env;
    env.diagnostics = diagnostics_;
    env.input.schema = Schema(std::move(names));
    if (node.open) AddNamesIn(spec.event_time->timestamp_expr, guess_, &env.input.schema);
    const Type expected(Kind::kTimestamp, true);
    node.event_time = CompileExpression(env, InputNames(env), spec.event_time->timestamp_expr,
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
    const std::string path = At("tables", i);
    const Remains remains = damage_.OfTable(table, path);
    TableDeclaration declaration{table.name, {}};
    bool open = remains.open;
    if (const auto* fed = std::get_if<api::StreamTable>(&table.kind)) {
      const auto it = plan_.by_name.find(fed->from);
      if (it == plan_.by_name.end()) continue;
      std::vector<Field> visible;
      for (const Field& field : plan_.nodes[it->second].output.schema.fields()) {
        if (!Schema::IsHidden(field.name)) visible.push_back(field);
      }
      declaration.schema = Schema(std::move(visible));
      open |= plan_.nodes[it->second].open;
      StepEnv env;
      env.diagnostics = diagnostics_;
      env.path = path;
      if (!open) ResolveFields(env, declaration.schema, table.key, "key");
    } else {
      api::Diagnostics found;
      Result<Schema> schema = TableSchema(table, &found, path);
      if (!open && remains.fields.empty())
        diagnostics_->insert(diagnostics_->end(), found.begin(), found.end());
      open |= !schema.ok();
      if (schema.ok()) declaration.schema = *std::move(schema);
    }
    for (const std::string& name : remains.fields) declaration.schema.Set({name, guess_.type});
    if (open) declaration = OpenTable(table);
    if (open) open_tables_.insert(table.name);
    plan_.tables[table.name] = std::move(declaration);
  }
}

// A table of which only the key is known has every field that somebody reads.
TableDeclaration LogicalBuilder::OpenTable(const api::Table& table) const {
  TableDeclaration declaration{table.name, {}};
  for (const std::string& name : table.key) declaration.schema.Set({name, guess_.type});
  for (const api::Stream& stream : job_.spec.streams) {
    for (const api::Step& step : stream.steps) {
      if (!ReadsTable(step.kind, table.name)) continue;
      for (const std::string& text : ExpressionsOf(step.kind))
        AddNamesIn(text, guess_, &declaration.schema);
    }
  }
  return declaration;
}

// A name that does not exist was reported when the manifest was read; its records are unknown.
int LogicalBuilder::FindStream(const std::string& name) {
  const auto it = plan_.by_name.find(name);
  if (it != plan_.by_name.end()) return it->second;
  if (unknown_ >= 0) return unknown_;
  LogicalNode node;
  node.output.schema = HiddenFields(guess_);
  node.output.has_event_time = guess_.event_time;
  node.open = true;
  unknown_ = Append(std::move(node));
  return unknown_;
}

void LogicalBuilder::AddStream(int stream) {
  const api::Stream& spec = job_.spec.streams[stream];
  int node = FindStream(spec.from);
  for (size_t step = 0; step < spec.steps.size(); ++step)
    node = AddStep(stream, static_cast<int>(step), node);
  const bool steps_unread = spec.steps.empty() && damage_.Touches(At("streams", stream));
  if (plan_.by_name.contains(spec.name) || steps_unread) {
    LogicalNode open = plan_.nodes[node];
    open.open = true;
    node = Append(std::move(open));
  }
  plan_.by_name[spec.name] = node;
  plan_.order.push_back(spec.name);
}

// The fields of `input` that are read behind the step at `path`.
std::optional<std::set<std::string>> LogicalBuilder::NeededFields(const std::string& path,
                                                                  const Schema& input) const {
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
  env.path = "spec.streams[" + std::to_string(stream) + "].steps[" + std::to_string(step) + "]." +
             api::StepKindName(step_spec.kind);
  env.input = plan_.nodes[input].output;
  for (const auto& [name, declaration] : plan_.tables) env.tables.push_back(declaration);
  for (const api::Table& table : job_.spec.tables) {
    env.table_keys[table.name] = table.key;
    if (!plan_.tables.contains(table.name)) env.tables.push_back(OpenTable(table));
  }
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
  node.open = plan_.nodes[input].open;
  const api::StepKind& kind = node.step->kind;
  const Remains remains = damage_.OfStep(kind, api::StepPath(stream, step));
  if (std::holds_alternative<api::UnionStep>(kind) && !remains.unreadable)
    return AddUnion(std::get<api::UnionStep>(kind), std::move(node), env);
  if (const auto* join = std::get_if<api::JoinStep>(&kind)) {
    const int other = FindStream(join->with);
    env.other = plan_.nodes[other].output;
    node.inputs.push_back(other);
    node.dead_letters |= plan_.nodes[other].dead_letters;
  }
  api::Diagnostics found;
  env.diagnostics = &found;
  if (node.open || remains.open) AddReadFields(kind, guess_, &env.input.schema);
  if (const auto* join = std::get_if<api::JoinStep>(&kind);
      join != nullptr && plan_.nodes[node.inputs[1]].open) {
    for (const std::string& name : join->with_key) {
      if (env.other.schema.Find(name) < 0) env.other.schema.Set({name, guess_.type});
    }
  }
  if (!remains.unreadable) FillNarrow(kind, env, &node);
  if (!remains.unreadable && node.narrow == nullptr) FillKeyed(kind, env, &node);
  // Beside members that could not be read, only expressions can be judged.
  if (remains.open)
    std::erase_if(found, [](const api::Diagnostic& error) { return error.offset < 0; });
  diagnostics_->insert(diagnostics_->end(), found.begin(), found.end());
  Complete(stream, step, remains, env, &node);
  return Append(std::move(node));
}

// Gives a step that is wrong, or stands behind something wrong, the record that the steps behind it
// see.
void LogicalBuilder::Complete(int stream, int step, const Remains& remains, const StepEnv& env,
                              LogicalNode* node) const {
  const api::StepKind& kind = node->step->kind;
  if (node->narrow == nullptr && node->keyed == nullptr) {
    node->output.schema = RecoverSchema(kind, env, guess_);
    const auto flow = flows_.find(job_.spec.streams[stream].name);
    const size_t behind = static_cast<size_t>(step) + 1;
    if (flow != flows_.end() && behind < flow->second.size() && flow->second[behind].known) {
      node->output.has_event_time = flow->second[behind].event_time;
      node->output.updating = flow->second[behind].updating;
    }
  }
  const auto* state = std::get_if<api::StateStep>(&kind);
  const bool new_record = std::holds_alternative<api::MapStep>(kind) ||
                          std::holds_alternative<api::AggregateStep>(kind) ||
                          (state != nullptr && !state->output.fields.empty());
  node->open = remains.open || (node->open && !new_record);
  for (const std::string& name : remains.fields) node->output.schema.Set({name, guess_.type});
  const auto* join = std::get_if<api::JoinStep>(&kind);
  if (join != nullptr && plan_.nodes[node->inputs[1]].open)
    node->output.schema.Set({join->as, guess_.type});
  const auto* lookup = std::get_if<api::LookupStep>(&kind);
  const bool known_table = lookup != nullptr && plan_.tables.contains(lookup->table) &&
                           !open_tables_.contains(lookup->table);
  if (lookup != nullptr && !known_table) node->output.schema.Set({lookup->as, guess_.type});
}

void LogicalBuilder::FillNarrow(const api::StepKind& kind, const StepEnv& env, LogicalNode* node) {
  if (const auto* step = std::get_if<api::MapStep>(&kind)) node->narrow = MakeMapStep(*step, env);
  if (const auto* step = std::get_if<api::SetStep>(&kind)) node->narrow = MakeSetStep(*step, env);
  if (const auto* step = std::get_if<api::DropStep>(&kind)) node->narrow = MakeDropStep(*step, env);
  if (const auto* step = std::get_if<api::FlatMapStep>(&kind))
    node->narrow = MakeFlatMapStep(*step, env);
  if (const auto* step = std::get_if<api::FilterStep>(&kind))
    node->narrow = MakeFilterStep(*step, env);
  if (const auto* step = std::get_if<api::LookupStep>(&kind))
    node->narrow = MakeLookupStep(*step, env);
  if (const auto* step = std::get_if<api::SampleStep>(&kind))
    node->narrow = MakeSampleStep(*step, env);
  if (node->narrow == nullptr) return;
  node->kind = LogicalNode::Kind::kNarrow;
  node->output.schema = *node->narrow->output_schema();
}

void LogicalBuilder::FillKeyed(const api::StepKind& kind, const StepEnv& env, LogicalNode* node) {
  if (const auto* step = std::get_if<api::AggregateStep>(&kind))
    node->keyed = MakeAggregateStep(*step, env);
  if (const auto* step = std::get_if<api::TopStep>(&kind)) node->keyed = MakeTopStep(*step, env);
  if (const auto* step = std::get_if<api::JoinStep>(&kind)) node->keyed = MakeJoinStep(*step, env);
  if (const auto* step = std::get_if<api::DedupStep>(&kind))
    node->keyed = MakeDedupStep(*step, env);
  if (const auto* step = std::get_if<api::StateStep>(&kind))
    node->keyed = MakeStateStep(*step, env);
  if (const auto* step = std::get_if<api::RepartitionStep>(&kind))
    node->keyed = MakeRepartitionStep(*step, env);
  if (node->keyed == nullptr) return;
  const KeyedStep& keyed = *node->keyed;
  node->kind = LogicalNode::Kind::kKeyed;
  node->output = {*keyed.output_schema(), keyed.output_watermark(), keyed.output_has_event_time(),
                  keyed.output_updating(), keyed.update_key()};
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
    const int other = FindStream(step.streams[i]);
    const std::string path = env.path + "[" + std::to_string(i) + "]";
    const Schema& schema = plan_.nodes[other].output.schema;
    node.open |= plan_.nodes[other].open;
    if (!node.open && !SameVisible(first, schema)) {
      api::AddError(diagnostics_, path,
                    "union needs equal schemas: this stream has " + VisibleText(first) + ", \"" +
                        step.streams[i] + "\" has " + VisibleText(schema));
      good = false;
    }
    inputs.push_back(other);
  }
  node.open |= !good;
  if (node.open) return Append(std::move(node));
  std::vector<const Schema*> schemas;
  for (const int input : inputs) schemas.push_back(&plan_.nodes[input].output.schema);
  const SchemaRef common = CommonSchema(schemas);
  std::set<int> sources;
  for (int& input : inputs) {
    const StepInput output = plan_.nodes[input].output;
    sources.insert(output.watermark.sources.begin(), output.watermark.sources.end());
    node.output.watermark.hold_back =
        std::max(node.output.watermark.hold_back, output.watermark.hold_back);
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

LogicalPlan BuildLogical(const api::StreamingJob& job, const SourceSchemas& sources,
                         const StepNeeds* needs, const Repair& repair,
                         api::Diagnostics* diagnostics) {
  return LogicalBuilder(job, needs, repair, diagnostics).Build(sources);
}

}  // namespace millrace::worker
