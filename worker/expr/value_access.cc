#include "worker/expr/value_access.h"

#include <algorithm>
#include <cmath>

#include "crds/base/text.h"
#include "worker/data/record_batch.h"
#include "worker/expr/column_value.h"
#include "worker/expr/json_value.h"

namespace millrace::worker {
namespace {

constexpr size_t kIndexFrom = 9;  // maps of at least this many entries get an index

// Keys that are equal hash alike: all whole numbers by value.
uint64_t HashMapKey(const Value& key) {
  uint64_t bits = 0;
  if (key.is_string()) return HashKey(key.text());
  if (key.is_bool()) bits = key.boolean() ? 3 : 2;
  if (key.is_int()) bits = static_cast<uint64_t>(key.integer());
  if (key.is_uint()) bits = key.unsigned_integer();
  return (bits + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
}

// Keys equal across kinds; doubles that are whole match ints and uints.
bool KeysEqual(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) {
    const auto order = CompareValues(a, b);
    return order && *order == std::partial_ordering::equivalent;
  }
  if (a.kind() != b.kind()) return false;
  if (a.is_bool()) return a.boolean() == b.boolean();
  return a.is_string() && a.text() == b.text();
}

// Doubles look up as the whole number they are.
bool NormalizeKey(Value* key) {
  if (!key->is_double()) return IsMapKey(*key);
  const double real = key->real();
  if (std::trunc(real) != real) return false;
  if (real >= -0x1p63 && real < 0x1p63) {
    *key = Value::Int(static_cast<int64_t>(real));
  } else if (real >= 0 && real < 0x1p64) {
    *key = Value::Uint(static_cast<uint64_t>(real));
  } else {
    return false;
  }
  return true;
}

const MapEntry* FindEntry(const MapData& map, const Value& key) {
  if (map.index == nullptr) {
    for (const MapEntry& entry : map.all()) {
      if (KeysEqual(entry.key, key)) return &entry;
    }
    return nullptr;
  }
  for (size_t slot = HashMapKey(key) & map.index_mask; map.index[slot] != 0;
       slot = (slot + 1) & map.index_mask) {
    const MapEntry& entry = map.entries[map.index[slot] - 1];
    if (KeysEqual(entry.key, key)) return &entry;
  }
  return nullptr;
}

// Enters all entries; false when a key repeats.
bool BuildIndex(ValueArena* arena, MapData* map) {
  size_t slots = 16;
  while (slots < map->size * 2) slots *= 2;
  uint32_t* index = arena->NewArray<uint32_t>(slots);
  map->index = index;
  map->index_mask = slots - 1;
  for (size_t i = 0; i < map->size; ++i) {
    size_t slot = HashMapKey(map->entries[i].key) & map->index_mask;
    for (; index[slot] != 0; slot = (slot + 1) & map->index_mask) {
      if (KeysEqual(map->entries[index[slot] - 1].key, map->entries[i].key)) return false;
    }
    index[slot] = static_cast<uint32_t>(i + 1);
  }
  return true;
}

bool HasRepeatedKey(const MapData& map) {
  for (size_t i = 1; i < map.size; ++i) {
    for (size_t j = 0; j < i; ++j) {
      if (KeysEqual(map.entries[i].key, map.entries[j].key)) return true;
    }
  }
  return false;
}

bool MakeMapData(ValueArena* arena, MapEntry* entries, size_t size, MapData** map) {
  *map = arena->NewArray<MapData>(1);
  (*map)->entries = entries;
  (*map)->size = size;
  return size < kIndexFrom ? !HasRepeatedKey(**map) : BuildIndex(arena, *map);
}

const MapData& MapOfStruct(ValueArena* arena, const Value& value) {
  const bool plain = value.form() == Value::Form::kPlain;
  const Type& type = plain ? *value.struct_data().type : value.column().type();
  MapEntry* entries = arena->NewArray<MapEntry>(type.fields().size());
  for (size_t i = 0; i < type.fields().size(); ++i) {
    entries[i] = {Value::String(type.fields()[i].name), StructMember(arena, value, i)};
  }
  MapData* map = nullptr;
  MakeMapData(arena, entries, type.fields().size(), &map);
  return *map;
}

const MapData& MapOfColumn(ValueArena* arena, const Value& value) {
  const Column& column = value.column();
  const size_t begin = column.list_begin(value.row());
  const size_t size = column.list_end(value.row()) - begin;
  MapEntry* entries = arena->NewArray<MapEntry>(size);
  for (size_t i = 0; i < size; ++i) {
    entries[i] = {ColumnValue(arena, *column.children[0], begin + i),
                  ColumnValue(arena, *column.children[1], begin + i)};
  }
  MapData* map = nullptr;
  MakeMapData(arena, entries, size, &map);
  return *map;
}

}  // namespace

ListView::ListView(ValueArena* arena, const Value& list) : arena_(arena) {
  switch (list.form()) {
    case Value::Form::kPlain:
      items_ = list.items().data();
      size_ = list.items().size();
      return;
    case Value::Form::kColumn:
      column_ = list.column().children[0].get();
      begin_ = list.column().list_begin(list.row());
      size_ = list.column().list_end(list.row()) - begin_;
      return;
    case Value::Form::kJson:
      break;
  }
  const std::span<const Value> items = JsonElements(arena, list.text());
  items_ = items.data();
  size_ = items.size();
}

Value ListView::operator[](size_t i) const {
  return column_ != nullptr ? ColumnValue(arena_, *column_, begin_ + i) : items_[i];
}

const MapData& MapOf(ValueArena* arena, const Value& map) {
  if (map.is_struct()) return MapOfStruct(arena, map);
  switch (map.form()) {
    case Value::Form::kPlain:
      return map.map();
    case Value::Form::kColumn:
      return MapOfColumn(arena, map);
    case Value::Form::kJson:
      break;
  }
  const std::vector<MapEntry> members = JsonMembers(arena, map.text());
  MapEntry* entries = arena->NewArray<MapEntry>(members.size());
  std::ranges::copy(members, entries);
  MapData* data = nullptr;
  MakeMapData(arena, entries, members.size(), &data);
  return *data;
}

size_t MapSize(ValueArena* arena, const Value& map) {
  if (map.is_map() && map.form() == Value::Form::kColumn) {
    return map.column().list_end(map.row()) - map.column().list_begin(map.row());
  }
  return MapOf(arena, map).size;
}

bool FindKey(ValueArena* arena, const Value& map, const Value& key, Value* found) {
  Value wanted = key;
  if (!NormalizeKey(&wanted)) return false;
  if (map.is_struct()) {
    const int member = wanted.is_string() ? FindStructField(map, wanted.text()) : -1;
    if (member >= 0) *found = StructMember(arena, map, static_cast<size_t>(member));
    return member >= 0;
  }
  if (map.form() == Value::Form::kJson)
    return wanted.is_string() && JsonFind(arena, map.text(), wanted.text(), found);
  if (map.form() == Value::Form::kColumn) {
    const Column& column = map.column();
    for (size_t i = column.list_begin(map.row()); i < column.list_end(map.row()); ++i) {
      if (!KeysEqual(ColumnValue(arena, *column.children[0], i), wanted)) continue;
      *found = ColumnValue(arena, *column.children[1], i);
      return true;
    }
    return false;
  }
  const MapEntry* entry = FindEntry(map.map(), wanted);
  if (entry != nullptr) *found = entry->value;
  return entry != nullptr;
}

bool IsMapKey(const Value& key) {
  return key.is_bool() || key.is_int() || key.is_uint() || key.is_string();
}

std::optional<Value> MakeMap(ValueArena* arena, const std::vector<MapEntry>& entries) {
  MapEntry* copy = arena->NewArray<MapEntry>(entries.size());
  for (size_t i = 0; i < entries.size(); ++i) {
    if (!IsMapKey(entries[i].key)) return std::nullopt;
    copy[i] = entries[i];
  }
  MapData* map = nullptr;
  if (!MakeMapData(arena, copy, entries.size(), &map)) return std::nullopt;
  return Value::Map(map);
}

Value MakeList(ValueArena* arena, std::span<const Value> items) {
  Value* copy = arena->NewArray<Value>(items.size());
  std::copy(items.begin(), items.end(), copy);
  return Value::List(copy, items.size());
}

Value MakeOptional(ValueArena* arena, const Value& value) {
  Value* copy = arena->NewArray<Value>(1);
  *copy = value;
  return Value::Optional(copy);
}

Value MakeString(ValueArena* arena, std::string_view text) {
  return Value::String(arena->Copy(text));
}
Value MakeBytes(ValueArena* arena, std::string_view bytes) {
  return Value::Bytes(arena->Copy(bytes));
}

}  // namespace millrace::worker
