#include "crds/api/field_writer.h"

namespace millrace::api {

void FieldWriter::Begin(const Field& field) {
  if (field.name.empty()) {
    whole_ = true;
    return;
  }
  if (!open_) out_->BeginObject();
  open_ = true;
  out_->Key(field.name);
}

void FieldWriter::Finish() {
  if (whole_) return;
  if (!open_) out_->BeginObject();
  out_->EndObject();
}

void FieldWriter::Write(const Describer& describe, JsonWriter* out) {
  FieldWriter writer(out);
  describe(writer);
  writer.Finish();
}

void FieldWriter::OnText(const Field& field, TextSlot slot) {
  const auto text = slot.get();
  if (!text) return;
  Begin(field);
  out_->String(*text);
}

void FieldWriter::OnInt(const Field& field, IntSlot slot) {
  const auto value = slot.get();
  if (!value) return;
  Begin(field);
  out_->Int(*value);
}

void FieldWriter::OnDouble(const Field& field, DoubleSlot slot) {
  const auto value = slot.get();
  if (!value) return;
  Begin(field);
  out_->Double(*value);
}

void FieldWriter::OnBool(const Field& field, BoolSlot slot) {
  Begin(field);
  out_->Bool(*slot.value);
}

void FieldWriter::OnStrings(const Field& field, StringsSlot slot) {
  const auto values = slot.get();
  if (!values || (values->empty() && !field.required)) return;
  Begin(field);
  out_->BeginArray();
  for (const std::string& value : *values) out_->String(value);
  out_->EndArray();
}

void FieldWriter::OnStringMap(const Field& field, StringMapSlot slot) {
  const auto values = slot.get();
  if (!values || (values->empty() && !field.required)) return;
  Begin(field);
  out_->BeginObject();
  for (const auto& [key, value] : *values) {
    out_->Key(key);
    if (slot.value->plain == TextRule::Plain::kIntegerOnly) {
      out_->Raw(value);
    } else {
      out_->String(value);
    }
  }
  out_->EndObject();
}

void FieldWriter::OnObject(const Field& field, ObjectSlot slot) {
  if (!slot.has()) return;
  Begin(field);
  Write(slot.describe, out_);
}

void FieldWriter::OnList(const Field& field, ListSlot slot) {
  if (slot.size() == 0 && !field.required) return;
  Begin(field);
  out_->BeginArray();
  for (size_t i = 0; i < slot.size(); ++i) {
    Write([&](Fields& inner) { slot.describe(i, inner); }, out_);
  }
  out_->EndArray();
}

void FieldWriter::OnObjectMap(const Field& field, ObjectMapSlot slot) {
  Begin(field);
  out_->BeginObject();
  for (const std::string& key : slot.keys()) {
    out_->Key(key);
    Write([&](Fields& inner) { slot.describe(key, inner); }, out_);
  }
  out_->EndObject();
}

void FieldWriter::OnUnion(const Field& field, UnionSlot slot) {
  const auto selected = slot.selected();
  if (!selected) return;
  if (!field.name.empty()) {
    Begin(field);
    out_->BeginObject();
  }
  const std::string_view name = slot.choices[*selected].name;
  if (field.name.empty()) {
    Begin({.name = name, .meaning = {}});
  } else {
    out_->Key(name);
  }
  Write(slot.describe, out_);
  if (!field.name.empty()) out_->EndObject();
}

}  // namespace millrace::api
