#include "operator/resources/references.h"

#include "crds/api/fields.h"

namespace millrace::controller {
namespace {

// Visits every member and notes the ones that name an object. Thread-compatible; `found` outlives
// it.
class Finder final : public api::Fields {
 public:
  explicit Finder(References* found) : found_(found) {}

  void OnText(const api::Field& field, api::TextSlot slot) override {
    const std::optional<std::string> text = slot.get();
    if (!text || text->empty()) return;
    if (field.name == "secretName") found_->secrets.insert(*text);
    if (in_config_map_ && field.name == "name") found_->config_maps.insert(*text);
  }
  void OnObject(const api::Field& field, api::ObjectSlot slot) override {
    if (!slot.has()) return;
    const bool outer = in_config_map_;
    in_config_map_ = field.name == "configMapKeyRef";
    slot.describe(*this);
    in_config_map_ = outer;
  }
  void OnList(const api::Field&, api::ListSlot slot) override {
    for (size_t i = 0; i < slot.size(); ++i) slot.describe(i, *this);
  }
  void OnObjectMap(const api::Field&, api::ObjectMapSlot slot) override {
    for (const std::string& key : slot.keys()) slot.describe(key, *this);
  }
  void OnUnion(const api::Field&, api::UnionSlot slot) override {
    if (slot.selected()) slot.describe(*this);
  }
  void OnInt(const api::Field&, api::IntSlot) override {}
  void OnDouble(const api::Field&, api::DoubleSlot) override {}
  void OnBool(const api::Field&, api::BoolSlot) override {}
  void OnStrings(const api::Field&, api::StringsSlot) override {}
  void OnStringMap(const api::Field&, api::StringMapSlot) override {}
  void OneOf(std::vector<std::string>, bool) override {}

 private:
  References* found_;
  bool in_config_map_ = false;
};

}  // namespace

References FindReferences(const api::StreamingJobSpec& spec) {
  api::StreamingJobSpec copy = spec;  // descriptions read and write, so they take no const
  copy.pod.volumes.clear();
  References found;
  Finder finder(&found);
  Describe(finder, copy);
  return found;
}

}  // namespace millrace::controller
