#pragma once

#include <compare>
#include <optional>
#include <span>
#include <vector>

#include "worker/expr/value.h"

namespace millrace::worker {

// Reads a list of any form element by element. JSON lists are cut into elements once, into `arena`.
class ListView {
 public:
  // Requires: a list.
  ListView(ValueArena* arena, const Value& list);
  size_t size() const { return size_; }
  Value operator[](size_t i) const;

 private:
  ValueArena* arena_;
  const Value* items_ = nullptr;
  const Column* column_ = nullptr;  // elements of a column list
  size_t begin_ = 0;
  size_t size_ = 0;
};

// The entries of a map or struct of any form; structs read as maps from field name to value.
const MapData& MapOf(ValueArena* arena, const Value& map);
size_t MapSize(ValueArena* arena, const Value& map);
// Looks a key up in a map or struct; numbers match across kinds. False when there is no such key.
bool FindKey(ValueArena* arena, const Value& map, const Value& key, Value* found);

// A map of distinct keys in `arena`. nullopt when a key repeats or is no bool, int, uint or string.
std::optional<Value> MakeMap(ValueArena* arena, const std::vector<MapEntry>& entries);
bool IsMapKey(const Value& key);

// A list in `arena` holding copies of `items`.
Value MakeList(ValueArena* arena, std::span<const Value> items);
Value MakeOptional(ValueArena* arena, const Value& value);
// A string in `arena` holding a copy of `text`.
Value MakeString(ValueArena* arena, std::string_view text);
Value MakeBytes(ValueArena* arena, std::string_view bytes);

// CEL equality: numbers across kinds, NaN equals nothing, values of different kinds are unequal.
bool ValuesEqual(ValueArena* arena, const Value& a, const Value& b);
// Order of two values of ordered kinds (numbers across kinds); nullopt when CEL has no order for
// them.
std::optional<std::partial_ordering> CompareValues(const Value& a, const Value& b);

}  // namespace millrace::worker
