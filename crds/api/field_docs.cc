#include "crds/api/field_docs.h"

#include "crds/api/fields.h"
#include "crds/api/scalar.h"
#include "crds/base/json_writer.h"
#include "crds/base/text.h"

namespace millrace::api {
namespace {

std::string RangeOf(const IntSlot& slot) {
  if (slot.max == std::numeric_limits<int64_t>::max())
    return "integer >= " + std::to_string(slot.min);
  return "integer " + std::to_string(slot.min) + " to " + std::to_string(slot.max);
}

// Lists the members of a freshly made object below a path.
class DocCollector final : public Fields {
 public:
  DocCollector(std::string path, std::vector<FieldDoc>* out) : path_(std::move(path)), out_(out) {}

  void OnText(const Field& field, TextSlot slot) override {
    const std::string type =
        slot.choices.empty() ? std::string(slot.type) : OneOfList(slot.choices);
    Add(field, type, slot.get().value_or(""));
  }
  void OnInt(const Field& field, IntSlot slot) override {
    const auto value = slot.get();
    Add(field, RangeOf(slot), value ? std::to_string(*value) : "");
  }
  void OnDouble(const Field& field, DoubleSlot slot) override {
    const auto value = slot.get();
    JsonWriter text;
    if (value) text.Double(*value);
    Add(field, "number", text.text());
  }
  void OnBool(const Field& field, BoolSlot slot) override {
    Add(field, "boolean", *slot.value ? "true" : "false");
  }
  void OnStrings(const Field& field, StringsSlot slot) override {
    Add(field, "list of " + std::string(slot.rule->type), "[]");
  }
  void OnStringMap(const Field& field, StringMapSlot slot) override {
    std::string value;
    for (const auto& [key, text] : slot.get().value_or(std::map<std::string, std::string>())) {
      if (!key.empty()) value += (value.empty() ? "{" : ", ") + key + ": " + text;
    }
    Add(field, "map of " + std::string(slot.key->type) + " to " + std::string(slot.value->type),
        value.empty() ? "{}" : value + "}");
  }
  void OnObject(const Field& field, ObjectSlot slot) override {
    Add(field, "object", "{}");
    slot.create();
    Collect(PathOf(field.name), slot.describe);
  }
  void OnList(const Field& field, ListSlot slot) override {
    Add(field, "list of objects", "[]");
    slot.add();
    Collect(PathOf(field.name) + "[]", [&](Fields& inner) { slot.describe(0, inner); });
  }
  void OnObjectMap(const Field& field, ObjectMapSlot slot) override {
    Add(field, "map of " + std::string(slot.key->type) + " to object", "{}");
    Collect(PathOf(field.name) + ".<name>", [&](Fields& inner) { slot.describe("name", inner); });
  }
  void OnUnion(const Field& field, UnionSlot slot) override {
    if (!field.name.empty()) Add(field, "one of its members", "");
    const std::string base = PathOf(field.name);
    for (size_t i = 0; i < slot.choices.size(); ++i) {
      slot.select(i);
      const std::string path = base + "." + std::string(slot.choices[i].name);
      const size_t at = out_->size();
      out_->push_back(
          {.path = path, .type = "object", .meaning = std::string(slot.choices[i].meaning)});
      Collect(path, slot.describe);
      // A value that is no object describes itself under the same path: its type and example count.
      if (out_->size() > at + 1 && (*out_)[at + 1].path == path) {
        (*out_)[at].type = (*out_)[at + 1].type;
        (*out_)[at].example = (*out_)[at + 1].example;
        (*out_)[at].meaning = (*out_)[at + 1].meaning;
        out_->erase(out_->begin() + static_cast<std::ptrdiff_t>(at) + 1);
      }
    }
  }
  void OneOf(std::vector<std::string>, bool) override {}

 private:
  std::string PathOf(std::string_view name) const {
    if (name.empty()) return path_;
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  }

  void Collect(const std::string& path, const Describer& describe) {
    DocCollector inner(path, out_);
    describe(inner);
  }

  void Add(const Field& field, std::string type, std::string value) {
    if (!field.default_text.empty()) value = field.default_text;
    if (field.required) value.clear();
    out_->push_back({.path = PathOf(field.name),
                     .type = std::move(type),
                     .required = field.required,
                     .default_text = std::move(value),
                     .meaning = std::string(field.meaning),
                     .example = std::string(field.example)});
  }

  std::string path_;
  std::vector<FieldDoc>* out_;
};

}  // namespace

std::span<const FieldDoc> FieldDocs() {
  static const std::vector<FieldDoc> docs = [] {
    std::vector<FieldDoc> collected;
    StreamingJob job;
    DocCollector collector("", &collected);
    Describe(collector, job);
    return collected;
  }();
  return docs;
}

}  // namespace millrace::api
