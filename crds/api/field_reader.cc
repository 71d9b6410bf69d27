#include "crds/api/field_reader.h"

#include <algorithm>
#include <array>

#include "crds/api/findings.h"
#include "crds/api/scalar.h"
#include "crds/base/text.h"

namespace millrace::api {
namespace {

// Where users coming from other APIs would put a secret.
constexpr std::array<std::string_view, 9> kSecretNames{"password",  "passwd",       "token",
                                                       "apikey",    "secret",       "secretkey",
                                                       "accesskey", "clientsecret", "credentials"};

bool LooksLikeSecret(std::string_view name) {
  return std::find(kSecretNames.begin(), kSecretNames.end(), ToLowerAscii(name)) !=
         kSecretNames.end();
}

std::string Plural(size_t count, std::string_view things) {
  if (count == 1 && things.ends_with('s')) things.remove_suffix(1);
  return std::to_string(count) + " " + std::string(things);
}

}  // namespace

std::string SuggestName(std::string_view name, std::span<const std::string> known) {
  if (const auto near = ClosestName(name, known)) return "; did you mean \"" + *near + "\"?";
  constexpr size_t kMaxListed = 24;
  if (known.empty()) return "; there is none";
  if (known.size() > kMaxListed) return "";
  return "; known: " + Join(known, ", ");
}

FieldReader::FieldReader(const Node& node, std::string path, Diagnostics* diagnostics,
                         SourceMap* positions)
    : node_(node), path_(std::move(path)), diagnostics_(diagnostics), positions_(positions) {}

std::string FieldReader::PathOf(std::string_view name) const {
  if (name.empty()) return path_;
  return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
}

void FieldReader::Error(std::string path, std::string message) {
  AddError(diagnostics_, std::move(path), std::move(message));
}

const Node* FieldReader::Take(const Field& field) {
  if (field.name.empty()) {
    whole_ = true;
    return &node_;
  }
  known_.emplace_back(field.name);
  const Node* found = node_.Find(field.name);
  if (const auto meant = meant_.find(field.name); meant != meant_.end()) {
    found = &meant->second->value;
    Alias(meant->first, *meant->second);
  }
  if (found == nullptr && field.required && node_.kind == Node::Kind::kObject) {
    const std::string example =
        field.example.empty() ? "" : ", for example " + std::string(field.example);
    Error(PathOf(field.name), "required and missing" + example);
  }
  if (found != nullptr && found->kind == Node::Kind::kNull && found->text.empty()) {
    Error(PathOf(field.name), "has no value; give one or leave the field out");
    return nullptr;
  }
  return found;
}

void FieldReader::Alias(const std::string& name, const Node::Member& member) {
  const std::string from = PathOf(member.key.text);
  SourceMap moved;
  for (auto it = positions_->lower_bound(from);
       it != positions_->end() && it->first.starts_with(from); ++it) {
    if (IsWithin(it->first, from)) moved[PathOf(name) + it->first.substr(from.size())] = it->second;
  }
  positions_->merge(moved);
}

void FieldReader::Read(const Describer& describe) {
  if (node_.kind == Node::Kind::kObject) meant_ = FindMisspelt(node_, NamesOf(describe), known_);
  const auto before = static_cast<std::ptrdiff_t>(diagnostics_->size());
  describe(*this);
  // A misspelt name with a value of another kind may mean something else: its name is blamed only.
  const auto blamed = [&](const Diagnostic& found) {
    return std::any_of(meant_.begin(), meant_.end(),
                       [&](const auto& meant) { return found.path == PathOf(meant.first); });
  };
  const auto first = diagnostics_->begin() + before;
  diagnostics_->erase(std::remove_if(first, diagnostics_->end(), blamed), diagnostics_->end());
  Finish();
}

bool FieldReader::Expect(const Node& node, Node::Kind kind, std::string_view expected,
                         const std::string& path) {
  if (node.kind == kind) return true;
  Error(path, "expected " + std::string(expected) + ", found " + DescribeNode(node));
  return false;
}

bool FieldReader::TakeString(const Node& node, TextRule::Plain plain, const std::string& path) {
  if (node.kind != Node::Kind::kScalar && node.kind != Node::Kind::kNull) {
    return Expect(node, Node::Kind::kScalar, "a string", path);
  }
  const bool number = ReadsAsNumber(node.text);
  if (plain == TextRule::Plain::kIntegerOnly) {
    const Result<int64_t> parsed = ParseInteger(node, 0, std::numeric_limits<int64_t>::max());
    if (!parsed.ok()) Error(path, parsed.status().message());
    return parsed.ok();
  }
  if (!ReadsAsOtherType(node) || (number && plain == TextRule::Plain::kNumberToo)) return true;
  Error(path, "expected a string, found " + DescribeNode(node) + "; write \"" +
                  Excerpt(node.text, 60) + "\" with quotes");
  return false;
}

void FieldReader::OnText(const Field& field, TextSlot slot) {
  const Node* node = Take(field);
  if (node == nullptr) return;
  const std::string path = PathOf(field.name);
  if (!TakeString(*node, slot.plain, path)) return;
  if (!slot.choices.empty() &&
      std::find(slot.choices.begin(), slot.choices.end(), node->text) == slot.choices.end()) {
    const auto near = ClosestName(node->text, slot.choices);
    Error(path, "expected " + OneOfList(slot.choices) + ", found \"" + Excerpt(node->text) + "\"" +
                    (near ? "; did you mean \"" + *near + "\"?" : ""));
    return;
  }
  const Status status = slot.set(node->text);
  if (!status.ok()) Error(path, status.message());
}

void FieldReader::OnInt(const Field& field, IntSlot slot) {
  const Node* node = Take(field);
  if (node == nullptr) return;
  const Result<int64_t> value = ParseInteger(*node, slot.min, slot.max);
  if (value.ok()) {
    slot.set(*value);
  } else {
    Error(PathOf(field.name), value.status().message());
  }
}

void FieldReader::OnDouble(const Field& field, DoubleSlot slot) {
  const Node* node = Take(field);
  if (node == nullptr) return;
  const Result<double> value = ParseDecimal(*node, slot.min, slot.max);
  if (value.ok()) {
    slot.set(*value);
  } else {
    Error(PathOf(field.name), value.status().message());
  }
}

void FieldReader::OnBool(const Field& field, BoolSlot slot) {
  const Node* node = Take(field);
  if (node == nullptr) return;
  const Result<bool> value = ParseBool(*node);
  if (value.ok()) {
    *slot.value = *value;
  } else {
    Error(PathOf(field.name), value.status().message());
  }
}

bool FieldReader::CheckCount(size_t count, size_t min, size_t max, std::string_view things,
                             const std::string& path) {
  if (count < min)
    Error(path, "expected at least " + Plural(min, things) + ", found " + std::to_string(count));
  if (count > max)
    Error(path, "expected at most " + Plural(max, things) + ", found " + std::to_string(count));
  return count >= min && count <= max;
}

void FieldReader::OnStrings(const Field& field, StringsSlot slot) {
  const Node* node = Take(field);
  if (node == nullptr) return;
  const std::string path = PathOf(field.name);
  if (node->kind == Node::Kind::kScalar) {
    const std::string text = Excerpt(node->text, 60);
    Error(path,
          "expected a list of strings, found " + DescribeNode(*node) + "; write [" + text + "]");
    return;
  }
  if (!Expect(*node, Node::Kind::kList, "a list of strings", path)) return;
  if (!CheckCount(node->items.size(), slot.min, slot.max, "items", path)) return;
  std::vector<std::string> values;
  for (size_t i = 0; i < node->items.size(); ++i) {
    const std::string item = path + "[" + std::to_string(i) + "]";
    if (!TakeString(node->items[i], slot.rule->plain, item)) continue;
    const std::string& text = node->items[i].text;
    const Status status = slot.rule->Check(text);
    if (!status.ok()) Error(item, status.message());
    if (std::find(values.begin(), values.end(), text) != values.end())
      Error(item, "\"" + Excerpt(text) + "\" is listed twice");
    values.push_back(text);
  }
  slot.set(std::move(values));
}

bool FieldReader::CheckKey(const Node& key, const TextRule& rule, const std::string& path) {
  const bool sound = !ReadsAsOtherType(key) && rule.Check(key.text).ok();
  if (!sound) positions_->insert_or_assign(path, key.position);
  if (ReadsAsOtherType(key)) {
    const bool number = ReadsAsNumber(key.text);
    const bool null = key.kind == Node::Kind::kNull;
    Error(path, "YAML reads the bare name " + Excerpt(key.text) + " as a " +
                    (null     ? "null"
                     : number ? "number"
                              : "boolean") +
                    "; write \"" + Excerpt(key.text, 60) + "\" with quotes");
    return rule.Check(key.text).ok();  // what is meant is clear: references to it resolve
  }
  const Status status = rule.Check(key.text);
  if (!status.ok()) Error(path, status.message());
  return status.ok();
}

void FieldReader::OnStringMap(const Field& field, StringMapSlot slot) {
  const Node* node = Take(field);
  if (node == nullptr) return;
  const std::string path = PathOf(field.name);
  if (!Expect(*node, Node::Kind::kObject,
              "an object of " + std::string(slot.key->type) + ": " + std::string(slot.value->type),
              path))
    return;
  if (!CheckCount(node->members.size(), slot.min, slot.max, "members", path)) return;
  std::map<std::string, std::string> values;
  for (const Node::Member& member : node->members) {
    const std::string item = path + "." + member.key.text;
    if (!CheckKey(member.key, *slot.key, item) ||
        !TakeString(member.value, slot.value->plain, item))
      continue;
    const Status status = slot.value->Check(member.value.text);
    if (!status.ok()) Error(item, status.message());
    if (status.ok()) values.insert_or_assign(member.key.text, member.value.text);
  }
  if (values.size() >= slot.min) slot.set(std::move(values));
}

void FieldReader::OnObject(const Field& field, ObjectSlot slot) {
  const Node* node = Take(field);
  if (node == nullptr) return;
  slot.create();
  FieldReader inner(*node, PathOf(field.name), diagnostics_, positions_);
  inner.Ignore(slot.ignored);
  inner.Read(slot.describe);
}

void FieldReader::OnList(const Field& field, ListSlot slot) {
  const Node* node = Take(field);
  if (node == nullptr) return;
  const std::string path = PathOf(field.name);
  if (!Expect(*node, Node::Kind::kList, "a list", path)) return;
  CheckCount(node->items.size(), slot.min, slot.max, "items", path);
  for (size_t i = 0; i < std::min(node->items.size(), slot.max); ++i) {
    slot.add();
    FieldReader inner(node->items[i], path + "[" + std::to_string(i) + "]", diagnostics_,
                      positions_);
    inner.Read([&](Fields& fields) { slot.describe(i, fields); });
  }
}

void FieldReader::OnObjectMap(const Field& field, ObjectMapSlot slot) {
  const Node* node = Take(field);
  if (node == nullptr) return;
  const std::string path = PathOf(field.name);
  if (!Expect(*node, Node::Kind::kObject, "an object", path)) return;
  if (!CheckCount(node->members.size(), 1, 1000, "members", path)) return;
  for (const Node::Member& member : node->members) {
    const std::string item = path + "." + member.key.text;
    if (!CheckKey(member.key, *slot.key, item)) continue;
    FieldReader inner(member.value, item, diagnostics_, positions_);
    inner.Read([&](Fields& fields) { slot.describe(member.key.text, fields); });
  }
}

void FieldReader::ReadUnion(const Node& node, const std::string& path, const UnionSlot& slot) {
  std::vector<std::string> names;
  std::vector<std::string> given;
  size_t index = 0;
  for (size_t i = 0; i < slot.choices.size(); ++i) {
    names.emplace_back(slot.choices[i].name);
    if (node.Find(slot.choices[i].name) == nullptr) continue;
    given.push_back(names.back());
    index = i;
  }
  if (given.size() > 1) {
    Error(path, "expected exactly one of " + Join(names, ", ") + "; found " + Join(given, " and "));
    return;
  }
  if (given.empty()) return;
  slot.select(index);
  const Node* chosen = node.Find(given.front());
  const std::string chosen_path = path + "." + given.front();
  if (chosen->kind == Node::Kind::kNull) {
    Error(chosen_path, "has no value; write " + given.front() + ": {} where it needs no fields");
    return;
  }
  FieldReader inner(*chosen, chosen_path, diagnostics_, positions_);
  inner.Read(slot.describe);
}

void FieldReader::OnUnion(const Field& field, UnionSlot slot) {
  std::vector<std::string> names;
  for (const Choice& choice : slot.choices) names.emplace_back(choice.name);
  const auto given = [&](const Node& node) {
    return std::any_of(names.begin(), names.end(),
                       [&](const std::string& name) { return node.Find(name) != nullptr; });
  };
  if (field.name.empty()) {
    known_.insert(known_.end(), names.begin(), names.end());
    choices_ = names;
    choice_missing_ = !given(node_);
    if (node_.kind == Node::Kind::kObject) ReadUnion(node_, path_, slot);
    return;
  }
  const Node* node = Take(field);
  if (node == nullptr) return;
  const std::string path = PathOf(field.name);
  const bool named = node->kind == Node::Kind::kScalar &&
                     std::find(names.begin(), names.end(), node->text) != names.end();
  if (named) {
    Error(path, "expected an object with one of " + Join(names, ", ") + "; found the string \"" +
                    node->text + "\"; write {" + node->text + ": {}}");
    return;
  }
  FieldReader inner(*node, path, diagnostics_, positions_);
  inner.known_ = names;
  inner.choices_ = names;
  inner.choice_missing_ = !given(*node);
  inner.Finish();
  if (node->kind == Node::Kind::kObject) inner.ReadUnion(*node, path, slot);
}

void FieldReader::OneOf(std::vector<std::string> names, bool required) {
  if (node_.kind != Node::Kind::kObject) return;
  std::vector<std::string> given;
  for (const std::string& name : names) {
    if (node_.Find(name) != nullptr || meant_.contains(name)) given.push_back(name);
  }
  if (given.size() > 1)
    Error(path_, "expected only one of " + Join(names, ", ") + "; found " + Join(given, " and "));
  if (given.empty() && required)
    Error(path_, "expected one of " + Join(names, ", ") + "; found none");
}

void FieldReader::Ignore(std::vector<std::string> names) {
  known_.insert(known_.end(), names.begin(), names.end());
}

std::string FieldReader::UnknownMember(std::string_view name) const {
  const std::string found = "unknown field \"" + Excerpt(name) + "\"";
  const bool has_secret = std::find(known_.begin(), known_.end(), "secretName") != known_.end();
  if (LooksLikeSecret(name)) {
    return found +
           ": secrets are never written into a job; put it into a Secret and name that with " +
           (has_secret ? "secretName" : "auth: {secretName: ...}");
  }
  if (has_secret && name == "namespace")
    return found + ": a Secret is always one of the job's own namespace";
  return found + SuggestName(name, known_);
}

void FieldReader::Finish() {
  if (whole_) return;
  if (!Expect(node_, Node::Kind::kObject,
              choices_.empty() ? "an object" : "an object with one of " + Join(choices_, ", "),
              path_)) {
    return;
  }
  constexpr size_t kMaxUnknown = 20;
  size_t unknown = 0;
  bool near_choice = false;
  for (const Node::Member& member : node_.members) {
    const std::string& name = member.key.text;
    if (name == "<<" || std::find(known_.begin(), known_.end(), name) != known_.end()) continue;
    if (++unknown > kMaxUnknown) break;
    const auto near = ClosestName(name, known_);
    near_choice = near_choice ||
                  (near && std::find(choices_.begin(), choices_.end(), *near) != choices_.end());
    positions_->insert_or_assign(PathOf(name), member.key.position);
    Error(PathOf(name), UnknownMember(name));
  }
  if (choice_missing_ && !near_choice) {
    Error(path_, "expected exactly one of " + Join(choices_, ", ") + "; found none");
  }
}

}  // namespace millrace::api
