#include "crds/base/json_writer.h"

#include <charconv>
#include <cmath>

#include "crds/base/text.h"

namespace millrace {

void JsonWriter::BeforeValue() {
  if (after_key_) {
    after_key_ = false;
    return;
  }
  if (has_value_.empty()) return;
  if (has_value_.back()) text_.push_back(',');
  has_value_.back() = true;
}

void JsonWriter::Open(char bracket) {
  BeforeValue();
  text_.push_back(bracket);
  has_value_.push_back(false);
}

void JsonWriter::Close(char bracket) {
  CHECK(!has_value_.empty() && !after_key_);
  has_value_.pop_back();
  text_.push_back(bracket);
}

void JsonWriter::Key(std::string_view key) {
  CHECK(!after_key_);
  BeforeValue();
  AppendJsonQuoted(key, &text_);
  text_.push_back(':');
  after_key_ = true;
}

void JsonWriter::String(std::string_view value) {
  BeforeValue();
  AppendJsonQuoted(value, &text_);
}

void JsonWriter::Int(int64_t value) {
  BeforeValue();
  text_ += std::to_string(value);
}

void JsonWriter::Uint(uint64_t value) {
  BeforeValue();
  text_ += std::to_string(value);
}

void JsonWriter::Double(double value) {
  BeforeValue();
  if (!std::isfinite(value)) {
    text_ += "null";
    return;
  }
  char buffer[32];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  CHECK(error == std::errc());
  text_.append(buffer, end);
}

void JsonWriter::Bool(bool value) {
  BeforeValue();
  text_ += value ? "true" : "false";
}

void JsonWriter::Null() {
  BeforeValue();
  text_ += "null";
}

void JsonWriter::Raw(std::string_view json) {
  BeforeValue();
  text_ += json;
}

}  // namespace millrace
