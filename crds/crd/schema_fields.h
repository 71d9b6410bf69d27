#pragma once

#include <optional>
#include <string>
#include <vector>

#include "crds/api/fields.h"
#include "crds/crd/tree.h"

namespace millrace::crd {

// Makes the structural schema (Kubernetes' subset of OpenAPI v3) of what Describe names: types,
// descriptions, bounds and defaults from the fields, and rules in CEL for unions, together with
// those of rules.h. Never writes $ref, unions outside rules, or fields without a type. An object
// that is a union and nothing else has exactly one member by its bounds. Refers to nothing it is
// given; thread-compatible; lives for one object.
class SchemaFields final : public api::Fields {
 public:
  // The schema of the value that `describe` names. `path` is where it stands, as in
  // docs/job-reference.md: "spec.sources[].kafka".
  static Tree Make(const std::string& path, const api::Describer& describe);

  void OnText(const api::Field& field, api::TextSlot slot) override;
  void OnInt(const api::Field& field, api::IntSlot slot) override;
  void OnDouble(const api::Field& field, api::DoubleSlot slot) override;
  void OnBool(const api::Field& field, api::BoolSlot slot) override;
  void OnStrings(const api::Field& field, api::StringsSlot slot) override;
  void OnStringMap(const api::Field& field, api::StringMapSlot slot) override;
  void OnObject(const api::Field& field, api::ObjectSlot slot) override;
  void OnList(const api::Field& field, api::ListSlot slot) override;
  void OnObjectMap(const api::Field& field, api::ObjectMapSlot slot) override;
  void OnUnion(const api::Field& field, api::UnionSlot slot) override;
  void OneOf(std::vector<std::string> names, bool required) override;

 private:
  explicit SchemaFields(std::string path) : path_(std::move(path)) {}

  std::string PathOf(std::string_view name) const;
  // The default of a field as the server may fill it in; none where it depends on something, or
  // where being given has a meaning.
  bool MayDefault(const api::Field& field) const;
  // The status is written by the operator alone and needs no bounds.
  bool IsStatus() const;
  void Add(const api::Field& field, Tree schema);
  // The schemas of the alternatives, each below `path`.
  static Tree Choices(const std::string& path, const api::UnionSlot& slot);
  void AddRule(Tree rule) { rules_.push_back(std::move(rule)); }
  Tree Finish() &&;

  std::string path_;
  Tree properties_;
  std::vector<std::string> required_;
  std::vector<Tree> rules_;
  std::optional<Tree> whole_;  // the value is no object
};

}  // namespace millrace::crd
