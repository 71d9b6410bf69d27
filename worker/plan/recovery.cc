#include "worker/plan/recovery.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "crds/api/stream_graph.h"
#include "worker/plan/expression_texts.h"

namespace millrace::worker {
namespace {

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool IsNameChar(char c) { return IsNameStart(c) || (c >= '0' && c <= '9'); }

void AddMissing(const std::string& name, const Type& type, Schema* record) {
  if (!name.empty() && record->Find(name) < 0) record->Set({name, type});
}

void AddHidden(const Schema& from, Schema* record) {
  for (const Field& field : from.fields()) {
    if (Schema::IsHidden(field.name)) AddMissing(field.name, field.type, record);
  }
}

// Builds the record behind each kind of step.
class Recovery {
 public:
  Recovery(const StepEnv& env, const Guess& guess) : env_(env), guess_(guess) {
    env_.diagnostics = &ignored_;
  }

  Schema operator()(const api::MapStep& step) {
    Schema schema;
    for (const auto& [name, text] : step.fields) schema.Set({name, TypeOf(text)});
    AddHidden(env_.input.schema, &schema);
    return schema;
  }
  Schema operator()(const api::SetStep& step) {
    Schema schema = env_.input.schema;
    for (const auto& [name, text] : step.fields) schema.Set({name, TypeOf(text)});
    return schema;
  }
  Schema operator()(const api::DropStep& step) const {
    std::vector<Field> kept;
    const std::set<std::string> dropped(step.fields.begin(), step.fields.end());
    for (const Field& field : env_.input.schema.fields()) {
      if (!dropped.contains(field.name)) kept.push_back(field);
    }
    return Schema(std::move(kept));
  }
  Schema operator()(const api::FlatMapStep& step) const { return With(step.field); }
  Schema operator()(const api::LookupStep& step) const { return With(step.as); }
  Schema operator()(const api::AggregateStep& step) {
    Schema schema;
    for (const std::string& name : step.key) {
      const int column = env_.input.schema.Find(name);
      schema.Set(
          {name, column < 0 ? guess_.type : env_.input.schema[static_cast<size_t>(column)].type});
    }
    AddWindow(api::IsTimed(step.window), &schema);
    for (const auto& [name, text] : step.values) schema.Set({name, ValueType(step, name, text)});
    schema.Set({std::string(kBatchTimeField), Type(Kind::kTimestamp)});
    schema.Set({std::string(kEventTimeField), Type(Kind::kTimestamp)});
    return schema;
  }
  Schema operator()(const api::TopStep& step) const {
    Schema schema = env_.input.schema;
    AddWindow(api::IsTimed(step.window), &schema);
    AddMissing("rank", Type(Kind::kInt), &schema);
    return schema;
  }
  Schema operator()(const api::JoinStep& step) const {
    std::vector<Field> members;
    for (const Field& field : env_.other.schema.fields()) {
      if (!Schema::IsHidden(field.name)) members.push_back(field);
    }
    Schema schema = env_.input.schema;
    const bool optional =
        step.type == api::JoinStep::Type::kLeft || step.type == api::JoinStep::Type::kFull;
    const Type other = Type::Struct(std::move(members));
    AddMissing(step.as, optional ? other.AsNullable() : other, &schema);
    AddWindow(std::holds_alternative<api::TumblingWindow>(step.window), &schema);
    return schema;
  }
  Schema operator()(const api::StateStep& step) const {
    if (step.output.fields.empty()) return env_.input.schema;
    Schema schema;
    for (const auto& [name, text] : step.output.fields) schema.Set({name, guess_.type});
    AddHidden(env_.input.schema, &schema);
    return schema;
  }
  // filter, union, dedup, sample, repartition: the record as it came.
  template <typename Step>
  Schema operator()(const Step&) const {
    return env_.input.schema;
  }

 private:
  Schema With(const std::string& name) const {
    Schema schema = env_.input.schema;
    if (!name.empty()) schema.Set({name, guess_.type});
    return schema;
  }
  Type TypeOf(const std::string& text) {
    const auto step = MakeMapStep({{{"value", text}}}, env_);
    return step == nullptr ? guess_.type : step->output_schema()->fields().front().type;
  }
  // The type of one value of an aggregate whose other parts may be wrong.
  Type ValueType(api::AggregateStep step, const std::string& name, const std::string& text) {
    step.values = {{name, text}};
    const auto alone = MakeAggregateStep(step, env_);
    const int column = alone == nullptr ? -1 : alone->output_schema()->Find(name);
    return column < 0 ? guess_.type : (*alone->output_schema())[static_cast<size_t>(column)].type;
  }
  static void AddWindow(bool timed, Schema* schema) {
    if (!timed) return;
    AddMissing("windowStart", Type(Kind::kTimestamp), schema);
    AddMissing("windowEnd", Type(Kind::kTimestamp), schema);
  }

  StepEnv env_;
  const Guess& guess_;
  api::Diagnostics ignored_;
};

}  // namespace

Schema RecoverSchema(const api::StepKind& kind, const StepEnv& env, const Guess& guess) {
  return std::visit(Recovery(env, guess), kind);
}

void AddNamesIn(std::string_view text, const Guess& guess, Schema* record) {
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && IsNameChar(text[end])) ++end;
    const std::string name(text.substr(i, end - i));
    if (end > i && IsNameStart(text[i]) && name != "tables" && !Schema::IsHidden(name))
      AddMissing(name, guess.type, record);
    i = std::max(end, i + 1);
  }
}

void AddReadFields(const api::StepKind& kind, const Guess& guess, Schema* record) {
  for (const std::string& text : ExpressionsOf(kind)) AddNamesIn(text, guess, record);
  for (const std::string& name : FieldsNamedBy(kind)) AddMissing(name, guess.type, record);
}

Schema HiddenFields(const Guess& guess) {
  Schema schema;
  for (const std::string_view name : {kBatchTimeField, kEventTimeField})
    schema.Set({std::string(name), Type(Kind::kTimestamp)});
  schema.Set({std::string(kSourceField), Type(Kind::kString)});
  schema.Set({std::string(kPositionField), Type(Kind::kUint)});
  for (const char* name : {"__path", "__line", "__key", "__topic", "__partition", "__offset",
                           "__timestamp", "__headers", "__tombstone"}) {
    schema.Set({name, guess.type});
  }
  return schema;
}

}  // namespace millrace::worker
