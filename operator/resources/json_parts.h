#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "crds/base/json_writer.h"

// Members of a JSON object in one line each. Used by the builders only.
namespace millrace::controller {

inline void Text(JsonWriter* out, std::string_view key, std::string_view value) {
  out->Key(key);
  out->String(value);
}

inline void Number(JsonWriter* out, std::string_view key, int64_t value) {
  out->Key(key);
  out->Int(value);
}

inline void Flag(JsonWriter* out, std::string_view key, bool value) {
  out->Key(key);
  out->Bool(value);
}

inline void TextMap(JsonWriter* out, std::string_view key,
                    const std::map<std::string, std::string>& values) {
  out->Key(key);
  out->BeginObject();
  for (const auto& [name, value] : values) Text(out, name, value);
  out->EndObject();
}

template <typename Members>
void Element(JsonWriter* out, const Members& members) {
  out->BeginObject();
  members();
  out->EndObject();
}

template <typename Members>
void Group(JsonWriter* out, std::string_view key, const Members& members) {
  out->Key(key);
  Element(out, members);
}

template <typename Elements>
void Sequence(JsonWriter* out, std::string_view key, const Elements& elements) {
  out->Key(key);
  out->BeginArray();
  elements();
  out->EndArray();
}

}  // namespace millrace::controller
