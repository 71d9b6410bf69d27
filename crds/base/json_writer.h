#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace {

// Writes one JSON document in order of calls; commas and quoting are its own. Thread-compatible.
// Example: JsonWriter w; w.BeginObject(); w.Key("batch"); w.Int(3); w.EndObject(); w.text().
class JsonWriter {
 public:
  void BeginObject() { Open('{'); }
  void EndObject() { Close('}'); }
  void BeginArray() { Open('['); }
  void EndArray() { Close(']'); }
  void Key(std::string_view key);
  void String(std::string_view value);
  void Int(int64_t value);
  void Uint(uint64_t value);
  // Shortest text that reads back; null for NaN and infinities.
  void Double(double value);
  void Bool(bool value);
  void Null();
  // `json` is a complete JSON value already.
  void Raw(std::string_view json);

  const std::string& text() const { return text_; }
  std::string Take() { return std::move(text_); }

 private:
  void Open(char bracket);
  void Close(char bracket);
  void BeforeValue();

  std::string text_;
  std::vector<bool> has_value_;
  bool after_key_ = false;
};

}  // namespace millrace
