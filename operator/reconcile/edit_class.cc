#include "operator/reconcile/edit_class.h"

#include <algorithm>

#include "crds/api/field_writer.h"
#include "crds/base/text.h"

namespace millrace::controller {
namespace {

constexpr size_t kDigits = 8;

// The class of each field that is not rolled out.
const std::map<std::string, EditClass>& Classes() {
  static const std::map<std::string, EditClass> classes{
      {"state", EditClass::kFixed},          {"maxParallelism", EditClass::kFixed},
      {"workers", EditClass::kScale},        {"suspend", EditClass::kScale},
      {"autoscaling", EditClass::kHot},      {"deletion", EditClass::kHot},
      {"ttlAfterFinished", EditClass::kHot}, {"disruptionBudget", EditClass::kHot}};
  return classes;
}

// Hands each top-level member to a FieldWriter of its own. Thread-compatible.
class Digester final : public api::Fields {
 public:
  explicit Digester(FieldDigests* out) : out_(out) {}
  void OnText(const api::Field& f, api::TextSlot s) override { Note(f, &Fields::OnText, s); }
  void OnInt(const api::Field& f, api::IntSlot s) override { Note(f, &Fields::OnInt, s); }
  void OnDouble(const api::Field& f, api::DoubleSlot s) override { Note(f, &Fields::OnDouble, s); }
  void OnBool(const api::Field& f, api::BoolSlot s) override { Note(f, &Fields::OnBool, s); }
  void OnStrings(const api::Field& f, api::StringsSlot s) override {
    Note(f, &Fields::OnStrings, s);
  }
  void OnStringMap(const api::Field& f, api::StringMapSlot s) override {
    Note(f, &Fields::OnStringMap, s);
  }
  void OnObject(const api::Field& f, api::ObjectSlot s) override { Note(f, &Fields::OnObject, s); }
  void OnList(const api::Field& f, api::ListSlot s) override { Note(f, &Fields::OnList, s); }
  void OnObjectMap(const api::Field& f, api::ObjectMapSlot s) override {
    Note(f, &Fields::OnObjectMap, s);
  }
  void OnUnion(const api::Field& f, api::UnionSlot s) override { Note(f, &Fields::OnUnion, s); }
  void OneOf(std::vector<std::string>, bool) override {}

 private:
  template <typename Method, typename Slot>
  void Note(const api::Field& field, Method method, const Slot& slot) {
    JsonWriter text;
    api::FieldWriter writer(&text);
    (static_cast<api::Fields&>(writer).*method)(field, slot);
    (*out_)[std::string(field.name)] = HexEncode(Sha256(text.text())).substr(0, kDigits);
  }

  FieldDigests* out_;
};

}  // namespace

FieldDigests DigestFields(const api::StreamingJobSpec& spec) {
  api::StreamingJobSpec copy = spec;  // descriptions read and write, so they take no const
  FieldDigests digests;
  Digester digester(&digests);
  Describe(digester, copy);
  return digests;
}

EditClass ClassOf(const std::string& field) {
  const auto it = Classes().find(field);
  return it == Classes().end() ? EditClass::kRoll : it->second;
}

Edit Classify(const FieldDigests& old_fields, const FieldDigests& new_fields) {
  Edit edit;
  if (old_fields.empty()) return edit;
  for (const auto& [field, digest] : new_fields) {
    const auto old = old_fields.find(field);
    if (old != old_fields.end() && old->second == digest) continue;
    edit.fields.push_back(field);
    edit.edit_class = std::max(edit.edit_class, ClassOf(field));
  }
  return edit;
}

}  // namespace millrace::controller
