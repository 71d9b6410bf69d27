#include "crds/api/edit_class.h"

#include <algorithm>

#include "crds/api/field_writer.h"
#include "crds/base/text.h"

namespace millrace::api {
namespace {

constexpr size_t kDigits = 8;

const std::map<std::string_view, EditClass>& Classes() {
  using enum EditClass;
  static const std::map<std::string_view, EditClass> classes{
      {"autoscaling", kHot},   {"backpressure", kHot},     {"batchInterval", kHot},
      {"deletion", kHot},      {"disruptionBudget", kHot}, {"healthCheck", kHot},
      {"image", kRoll},        {"imagePullPolicy", kRoll}, {"imagePullSecrets", kRoll},
      {"logging", kHot},       {"maxParallelism", kFixed}, {"metrics", kRoll},
      {"missedBatches", kHot}, {"models", kRoll},          {"onError", kRoll},
      {"pod", kRoll},          {"poisonBatch", kHot},      {"reset", kRoll},
      {"resources", kRoll},    {"restartPolicy", kHot},    {"sinks", kRoll},
      {"sources", kRoll},      {"state", kFixed},          {"streams", kRoll},
      {"suspend", kScale},     {"tables", kRoll},          {"ttlAfterFinished", kHot},
      {"upgrade", kHot},       {"workers", kScale}};
  return classes;
}

constexpr std::string_view kWork[] = {"maxParallelism", "models",  "onError", "reset",
                                      "sinks",          "sources", "streams", "tables"};

// Hands each top-level member to a FieldWriter of its own: name -> JSON. Thread-compatible.
class Writer final : public Fields {
 public:
  explicit Writer(std::map<std::string, std::string>* out) : out_(out) {}
  void OnText(const Field& f, TextSlot s) override { Note(f, &Fields::OnText, s); }
  void OnInt(const Field& f, IntSlot s) override { Note(f, &Fields::OnInt, s); }
  void OnDouble(const Field& f, DoubleSlot s) override { Note(f, &Fields::OnDouble, s); }
  void OnBool(const Field& f, BoolSlot s) override { Note(f, &Fields::OnBool, s); }
  void OnStrings(const Field& f, StringsSlot s) override { Note(f, &Fields::OnStrings, s); }
  void OnStringMap(const Field& f, StringMapSlot s) override { Note(f, &Fields::OnStringMap, s); }
  void OnObject(const Field& f, ObjectSlot s) override { Note(f, &Fields::OnObject, s); }
  void OnList(const Field& f, ListSlot s) override { Note(f, &Fields::OnList, s); }
  void OnObjectMap(const Field& f, ObjectMapSlot s) override { Note(f, &Fields::OnObjectMap, s); }
  void OnUnion(const Field& f, UnionSlot s) override { Note(f, &Fields::OnUnion, s); }
  void OneOf(std::vector<std::string>, bool) override {}

 private:
  template <typename Method, typename Slot>
  void Note(const Field& field, Method method, const Slot& slot) {
    JsonWriter text;
    FieldWriter writer(&text);
    (static_cast<Fields&>(writer).*method)(field, slot);
    (*out_)[std::string(field.name)] = text.text();
  }

  std::map<std::string, std::string>* out_;
};

// Top-level field -> its JSON, empty where it is not set.
std::map<std::string, std::string> WriteFields(const StreamingJobSpec& spec) {
  StreamingJobSpec copy = spec;  // descriptions read and write, so they take no const
  std::map<std::string, std::string> fields;
  Writer writer(&fields);
  Describe(writer, copy);
  return fields;
}

}  // namespace

FieldDigests DigestFields(const StreamingJobSpec& spec) {
  FieldDigests digests = WriteFields(spec);
  for (auto& [field, text] : digests) text = HexEncode(Sha256(text)).substr(0, kDigits);
  return digests;
}

bool DecidesWork(std::string_view field) {
  return std::find(std::begin(kWork), std::end(kWork), field) != std::end(kWork);
}

std::string WorkText(const StreamingJobSpec& spec) {
  std::string work;
  for (const auto& [field, text] : WriteFields(spec)) {
    if (DecidesWork(field)) work += field + '\n' + text + '\n';
  }
  return work;
}

void TakeHotFields(const StreamingJobSpec& from, StreamingJobSpec* to) {
  to->autoscaling = from.autoscaling;
  to->backpressure = from.backpressure;
  to->batch_interval = from.batch_interval;
  to->deletion = from.deletion;
  to->disruption_budget_max_unavailable = from.disruption_budget_max_unavailable;
  to->health_check = from.health_check;
  to->logging = from.logging;
  to->missed_batches = from.missed_batches;
  to->poison_batch = from.poison_batch;
  to->restart_policy = from.restart_policy;
  to->ttl_after_finished = from.ttl_after_finished;
  to->upgrade = from.upgrade;
}

EditClass ClassOf(std::string_view field) {
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

std::vector<std::string> FieldsOf(const Edit& edit, EditClass edit_class) {
  std::vector<std::string> fields;
  std::copy_if(edit.fields.begin(), edit.fields.end(), std::back_inserter(fields),
               [&](const std::string& field) { return ClassOf(field) == edit_class; });
  return fields;
}

}  // namespace millrace::api
