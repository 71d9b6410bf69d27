#include "crds/crd/schema_fields.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "crds/base/text.h"
#include "crds/crd/rules.h"

namespace millrace::crd {
namespace {

using api::TextRule;

constexpr size_t kMaxMapEntries = 1000;
constexpr size_t kFreeText = 65536;  // the largest length of expressions and queries goes unsaid

// The server never fills these in: the rules ask whether the user gave them.
constexpr std::array<std::string_view, 1> kUndefaulted{"spec.autoscaling"};

// Lists of named objects: a change of one element is a change of that element only.
constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kKeyedLists{{
    {"spec.sources", "name"},
    {"spec.tables", "name"},
    {"spec.streams", "name"},
    {"spec.sinks", "name"},
    {"spec.pod.volumes", "name"},
    {"status.conditions", "type"},
}};

void Describe(std::string_view meaning, Tree* schema) {
  if (!meaning.empty()) schema->Set("description", meaning);
}

// The schema of a text with its shape; `shape` of a number tells only what a text must look like.
Tree TextSchema(const api::TextShape& shape, bool number_too) {
  Tree schema;
  if (number_too) {
    schema.Set("x-kubernetes-int-or-string", true);
  } else {
    schema.Set("type", "string");
  }
  const bool bounded = shape.max_length > 0 && shape.max_length < kFreeText;
  if (!shape.pattern.empty()) schema.Set("pattern", shape.pattern);
  if (bounded && shape.pattern.empty()) schema.Set("minLength", shape.min_length);
  if (bounded) schema.Set("maxLength", shape.max_length);
  return schema;
}

Tree TextSchema(const TextRule& rule) {
  if (rule.plain == TextRule::Plain::kIntegerOnly) return {{"type", "integer"}, {"minimum", 0}};
  return TextSchema(rule.shape, rule.plain == TextRule::Plain::kNumberToo);
}

std::string Has(const std::vector<std::string>& names) {
  std::vector<std::string> terms;
  for (const std::string& name : names) terms.push_back("has(self." + name + ")");
  return "[" + Join(terms, ", ") + "]";
}

Tree ExactlyOne(const std::vector<std::string>& names) {
  return MakeRule({.cel = names.size() == 2
                              ? "has(self." + names[0] + ") != has(self." + names[1] + ")"
                              : Has(names) + ".exists_one(x, x)",
                   .message = "expected exactly one of " + Join(names, ", ")});
}

// The shortest duration, where it is more than "longer than 0s", which the pattern says.
std::optional<Tree> LeastRule(Duration least) {
  if (least <= Duration(1)) return std::nullopt;
  const std::string bound = FormatDuration(least);
  return MakeRule({.cel = "duration(self) >= duration('" + bound + "')",
                   .message = "must be at least " + bound});
}

}  // namespace

Tree SchemaFields::Make(const std::string& path, const api::Describer& describe) {
  if (IsRefused(path)) return {{"type", "object"}, {"x-kubernetes-preserve-unknown-fields", true}};
  SchemaFields fields(path);
  describe(fields);
  return std::move(fields).Finish();
}

std::string SchemaFields::PathOf(std::string_view name) const {
  if (name.empty()) return path_;
  return path_ + "." + std::string(name);
}

bool SchemaFields::MayDefault(const api::Field& field) const {
  return !field.required && field.default_text.empty() &&
         std::find(kUndefaulted.begin(), kUndefaulted.end(), path_) == kUndefaulted.end();
}

bool SchemaFields::IsStatus() const { return path_.starts_with("status"); }

void SchemaFields::Add(const api::Field& field, Tree schema) {
  if (field.name.empty()) {
    whole_ = std::move(schema);
    return;
  }
  if (field.required) required_.emplace_back(field.name);
  properties_.Set(field.name, std::move(schema));
}

Tree SchemaFields::Finish() && {
  for (const Rule& rule : RulesAt(path_)) AddRule(MakeRule(rule));
  Tree schema = whole_ ? std::move(*whole_) : Tree{{"type", "object"}};
  if (!properties_.empty()) schema.Set("properties", std::move(properties_));
  if (!required_.empty()) {
    Tree required = Tree::List();
    for (const std::string& name : required_) required.Add(name);
    schema.Set("required", std::move(required));
  }
  if (!rules_.empty()) schema.Set("x-kubernetes-validations", Tree::List(std::move(rules_)));
  return schema;
}

void SchemaFields::OnText(const api::Field& field, api::TextSlot slot) {
  Tree schema;
  Describe(field.meaning, &schema);
  const bool number_too = slot.plain == TextRule::Plain::kNumberToo && !slot.least;
  schema.Merge(TextSchema(IsStatus() ? api::TextShape() : slot.shape, number_too));
  if (slot.type == "RFC 3339 time") schema.Set("format", "date-time");
  if (!slot.choices.empty()) {
    Tree choices = Tree::List();
    for (const std::string& choice : slot.choices) choices.Add(choice);
    schema.Set("enum", std::move(choices));
  }
  const auto value = slot.get();
  if (MayDefault(field) && value) schema.Set("default", *value);
  if (const auto rule = slot.least ? LeastRule(*slot.least) : std::nullopt)
    schema.Set("x-kubernetes-validations", Tree::List({*rule}));
  Add(field, std::move(schema));
}

void SchemaFields::OnInt(const api::Field& field, api::IntSlot slot) {
  Tree schema;
  Describe(field.meaning, &schema);
  schema.Set("type", "integer");
  if (!IsStatus()) schema.Set("minimum", slot.min);
  if (slot.max != std::numeric_limits<int64_t>::max()) schema.Set("maximum", slot.max);
  const auto value = slot.get();
  if (MayDefault(field) && value) schema.Set("default", *value);
  Add(field, std::move(schema));
}

void SchemaFields::OnDouble(const api::Field& field, api::DoubleSlot slot) {
  Tree schema;
  Describe(field.meaning, &schema);
  schema.Set("type", "number");
  schema.Set("minimum", slot.min);
  if (std::isfinite(slot.max)) schema.Set("maximum", slot.max);
  const auto value = slot.get();
  if (MayDefault(field) && value) schema.Set("default", *value);
  Add(field, std::move(schema));
}

void SchemaFields::OnBool(const api::Field& field, api::BoolSlot slot) {
  Tree schema;
  Describe(field.meaning, &schema);
  schema.Set("type", "boolean");
  if (MayDefault(field)) schema.Set("default", *slot.value);
  Add(field, std::move(schema));
}

void SchemaFields::OnStrings(const api::Field& field, api::StringsSlot slot) {
  Tree schema;
  Describe(field.meaning, &schema);
  schema.Set("type", "array");
  if (slot.min > 0) schema.Set("minItems", slot.min);
  schema.Set("maxItems", slot.max);
  schema.Set("items", TextSchema(*slot.rule));
  Add(field, std::move(schema));
}

void SchemaFields::OnStringMap(const api::Field& field, api::StringMapSlot slot) {
  Tree schema;
  Describe(field.meaning, &schema);
  schema.Set("type", "object");
  if (slot.min > 0) schema.Set("minProperties", slot.min);
  schema.Set("maxProperties", slot.max);
  schema.Set("additionalProperties", TextSchema(*slot.value));
  const auto value = slot.get();
  if (MayDefault(field) && value && !value->empty()) {
    Tree entries;
    for (const auto& [key, text] : *value) entries.Set(key, text);
    schema.Set("default", std::move(entries));
  }
  Add(field, std::move(schema));
}

void SchemaFields::OnObject(const api::Field& field, api::ObjectSlot slot) {
  slot.create();
  Tree schema;
  Describe(field.meaning, &schema);
  schema.Merge(Make(PathOf(field.name), slot.describe));
  Add(field, std::move(schema));
}

void SchemaFields::OnList(const api::Field& field, api::ListSlot slot) {
  const std::string path = PathOf(field.name);
  slot.add();
  Tree schema;
  Describe(field.meaning, &schema);
  schema.Set("type", "array");
  if (slot.min > 0) schema.Set("minItems", slot.min);
  schema.Set("maxItems", slot.max);
  for (const auto& [list, key] : kKeyedLists) {
    if (list != path) continue;
    schema.Set("x-kubernetes-list-type", "map");
    schema.Set("x-kubernetes-list-map-keys", Tree::List({key}));
  }
  schema.Set("items", Make(path + "[]", [&](api::Fields& inner) { slot.describe(0, inner); }));
  Add(field, std::move(schema));
}

void SchemaFields::OnObjectMap(const api::Field& field, api::ObjectMapSlot slot) {
  Tree schema;
  Describe(field.meaning, &schema);
  schema.Set("type", "object");
  schema.Set("minProperties", 1);
  schema.Set("maxProperties", kMaxMapEntries);
  schema.Set("additionalProperties", Make(PathOf(field.name) + ".<name>", [&](api::Fields& inner) {
               slot.describe("name", inner);
             }));
  Add(field, std::move(schema));
}

Tree SchemaFields::Choices(const std::string& path, const api::UnionSlot& slot) {
  Tree choices;
  for (size_t i = 0; i < slot.choices.size(); ++i) {
    slot.select(i);
    Tree schema;
    const std::string name(slot.choices[i].name);
    if (!IsRefused(path + "." + name)) Describe(slot.choices[i].meaning, &schema);
    schema.Merge(Make(path + "." + name, slot.describe));
    choices.Set(name, std::move(schema));
  }
  return choices;
}

void SchemaFields::OnUnion(const api::Field& field, api::UnionSlot slot) {
  std::vector<std::string> names;
  for (const api::Choice& choice : slot.choices) names.emplace_back(choice.name);
  Tree choices = Choices(PathOf(field.name), slot);
  if (field.name.empty()) {
    for (const auto& [name, schema] : choices.members()) properties_.Set(name, schema);
    AddRule(ExactlyOne(names));
    return;
  }
  SchemaFields inner(PathOf(field.name));
  inner.properties_ = std::move(choices);
  Tree schema;
  Describe(field.meaning, &schema);
  schema.Merge(std::move(inner).Finish());
  schema.Set("minProperties", 1).Set("maxProperties", 1);
  Add(field, std::move(schema));
}

void SchemaFields::OneOf(std::vector<std::string> names, bool required) {
  if (required) {
    AddRule(ExactlyOne(names));
    return;
  }
  AddRule(MakeRule({.cel = Has(names) + ".filter(x, x).size() <= 1",
                    .message = "expected only one of " + Join(names, ", ")}));
}

}  // namespace millrace::crd
