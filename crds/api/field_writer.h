#pragma once

#include "crds/api/fields.h"
#include "crds/base/json_writer.h"

namespace millrace::api {

// Writes the members of an object as JSON, defaults included; what is not set is left out.
// Thread-compatible.
class FieldWriter final : public Fields {
 public:
  explicit FieldWriter(JsonWriter* out) : out_(out) {}

  void OnText(const Field& field, TextSlot slot) override;
  void OnInt(const Field& field, IntSlot slot) override;
  void OnDouble(const Field& field, DoubleSlot slot) override;
  void OnBool(const Field& field, BoolSlot slot) override;
  void OnStrings(const Field& field, StringsSlot slot) override;
  void OnStringMap(const Field& field, StringMapSlot slot) override;
  void OnObject(const Field& field, ObjectSlot slot) override;
  void OnList(const Field& field, ListSlot slot) override;
  void OnObjectMap(const Field& field, ObjectMapSlot slot) override;
  void OnUnion(const Field& field, UnionSlot slot) override;
  void OneOf(std::vector<std::string>, bool) override {}

  // The value that `describe` names.
  static void Write(const Describer& describe, JsonWriter* out);

 private:
  void Begin(const Field& field);
  void Finish();

  JsonWriter* out_;
  bool open_ = false;   // the object was begun
  bool whole_ = false;  // the value is no object
};

}  // namespace millrace::api
