#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

#include "worker/data/column.h"

namespace millrace::worker {

// Run-time kinds of CEL values.
enum class ValueKind : uint8_t {
  kNull,
  kBool,
  kInt,
  kUint,
  kDouble,
  kString,
  kBytes,
  kTimestamp,
  kDuration,
  kList,
  kMap,
  kStruct,
  kType,
  kOptional,
  kError,
};

// Bump allocator of one evaluation: everything that values point to. Reset makes all of it invalid
// at once and keeps one block. Destructors never run, so only trivially destructible things live
// here. Thread-compatible.
class ValueArena {
 public:
  ValueArena() = default;
  ValueArena(const ValueArena&) = delete;
  ValueArena& operator=(const ValueArena&) = delete;

  // Aligned to 8 bytes.
  void* Allocate(size_t bytes) {
    bytes = (bytes + 7) & ~size_t{7};
    if (bytes > left_) Grow(bytes);
    void* result = next_;
    next_ += bytes;
    left_ -= bytes;
    return result;
  }
  template <typename T>
  T* NewArray(size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    T* items = static_cast<T*>(Allocate(count * sizeof(T)));
    for (size_t i = 0; i < count; ++i) new (items + i) T();
    return items;
  }
  std::string_view Copy(std::string_view bytes) {
    if (bytes.empty()) return {};
    char* target = static_cast<char*>(Allocate(bytes.size()));
    std::memcpy(target, bytes.data(), bytes.size());
    return {target, bytes.size()};
  }
  void Reset();
  // Memory taken so far, whole blocks.
  size_t block_bytes() const { return block_bytes_; }

 private:
  static constexpr size_t kBlockBytes = 32 << 10;
  void Grow(size_t bytes);

  struct Block {
    std::unique_ptr<char[]> bytes;
    size_t size = 0;
  };
  std::vector<Block> blocks_;
  size_t block_bytes_ = 0;
  char* next_ = nullptr;
  size_t left_ = 0;
};

class Value;
struct MapData;
struct StructData;

// One CEL value in 24 bytes, trivially copyable. Owns nothing: bytes and elements live in a
// ValueArena, a column or the program text, whichever made the value. Lists, maps and structs come
// in three forms: plain (arrays in the arena), column (a row of a column, elements are read on
// demand) and JSON (text, read on demand); see value_access.h. Errors are values.
class Value {
 public:
  enum class Form : uint8_t { kPlain, kColumn, kJson };

  Value() = default;  // null
  static Value Bool(bool value);
  static Value Int(int64_t value);
  static Value Uint(uint64_t value);
  static Value Double(double value);
  static Value String(std::string_view value) {
    return Text(ValueKind::kString, Form::kPlain, value);
  }
  static Value Bytes(std::string_view value) {
    return Text(ValueKind::kBytes, Form::kPlain, value);
  }
  // 0 <= nanos < 1e9.
  static Value Timestamp(int64_t seconds, int32_t nanos) {
    return Time(ValueKind::kTimestamp, seconds, nanos);
  }
  // 0 <= nanos < 1e9, so -0.5s is (-1, 500000000).
  static Value Duration(int64_t seconds, int32_t nanos) {
    return Time(ValueKind::kDuration, seconds, nanos);
  }
  static Value List(const Value* items, size_t size);
  static Value Map(const MapData* map);
  static Value Struct(const StructData* data);
  // A list, map or struct row of a column.
  static Value OfColumn(ValueKind kind, const Column* column, size_t row);
  // A JSON array (kList) or object (kMap) as its text.
  static Value OfJson(ValueKind kind, std::string_view text) {
    return Text(kind, Form::kJson, text);
  }
  static Value TypeName(std::string_view name) {
    return Text(ValueKind::kType, Form::kPlain, name);
  }
  // nullptr: optional.none().
  static Value Optional(const Value* value);
  // `offset`: the sub-expression that failed, in bytes; -1 unknown.
  static Value Error(std::string_view message, int offset = -1);

  ValueKind kind() const { return kind_; }
  Form form() const { return form_; }
  bool is_null() const { return kind_ == ValueKind::kNull; }
  bool is_error() const { return kind_ == ValueKind::kError; }
  bool is_bool() const { return kind_ == ValueKind::kBool; }
  bool is_int() const { return kind_ == ValueKind::kInt; }
  bool is_uint() const { return kind_ == ValueKind::kUint; }
  bool is_double() const { return kind_ == ValueKind::kDouble; }
  bool is_number() const { return is_int() || is_uint() || is_double(); }
  bool is_string() const { return kind_ == ValueKind::kString; }
  bool is_bytes() const { return kind_ == ValueKind::kBytes; }
  bool is_timestamp() const { return kind_ == ValueKind::kTimestamp; }
  bool is_duration() const { return kind_ == ValueKind::kDuration; }
  bool is_list() const { return kind_ == ValueKind::kList; }
  bool is_map() const { return kind_ == ValueKind::kMap; }
  bool is_struct() const { return kind_ == ValueKind::kStruct; }
  bool is_optional() const { return kind_ == ValueKind::kOptional; }
  bool is_true() const { return kind_ == ValueKind::kBool && data_.boolean; }
  bool is_false() const { return kind_ == ValueKind::kBool && !data_.boolean; }

  // Each requires the kind (and form) it names.
  bool boolean() const { return data_.boolean; }
  int64_t integer() const { return data_.integer; }
  uint64_t unsigned_integer() const { return data_.unsigned_integer; }
  double real() const { return data_.real; }
  // String, bytes, type name, error message, JSON text.
  std::string_view text() const { return {data_.chars, size_}; }
  int64_t seconds() const { return data_.integer; }
  int32_t nanos() const { return small_; }
  std::span<const Value> items() const { return {data_.items, size_}; }
  const MapData& map() const { return *data_.map; }
  const StructData& struct_data() const { return *data_.structure; }
  const Column& column() const { return *data_.column; }
  size_t row() const { return size_; }
  const Value* optional_value() const { return data_.items; }
  int error_offset() const { return small_; }

 private:
  static Value Text(ValueKind kind, Form form, std::string_view text);
  static Value Time(ValueKind kind, int64_t seconds, int32_t nanos);

  ValueKind kind_ = ValueKind::kNull;
  Form form_ = Form::kPlain;
  int32_t small_ = 0;  // nanoseconds, or the offset of an error
  union {
    bool boolean;
    int64_t integer;
    uint64_t unsigned_integer;
    double real;
    const char* chars;
    const Value* items;
    const MapData* map;
    const StructData* structure;
    const Column* column;
  } data_ = {.integer = 0};
  size_t size_ = 0;
};
static_assert(sizeof(Value) == 24 && std::is_trivially_copyable_v<Value>);

struct MapEntry {
  Value key;
  Value value;
};

// Entries in order of insertion, keys unique. `index` is an open-addressing table (0 empty, else
// entry + 1) of a power of two slots, nullptr for small maps.
struct MapData {
  const MapEntry* entries = nullptr;
  size_t size = 0;
  const uint32_t* index = nullptr;
  size_t index_mask = 0;

  std::span<const MapEntry> all() const { return {entries, size}; }
};

// Members in the order of the struct type's fields.
struct StructData {
  const Type* type = nullptr;
  const Value* members = nullptr;
};

// The CEL name of a value's type: "int", "google.protobuf.Timestamp", "null_type".
std::string_view TypeNameOf(const Value& value);

inline Value Value::Bool(bool value) {
  Value result;
  result.kind_ = ValueKind::kBool;
  result.data_.boolean = value;
  return result;
}
inline Value Value::Int(int64_t value) {
  Value result;
  result.kind_ = ValueKind::kInt;
  result.data_.integer = value;
  return result;
}
inline Value Value::Uint(uint64_t value) {
  Value result;
  result.kind_ = ValueKind::kUint;
  result.data_.unsigned_integer = value;
  return result;
}
inline Value Value::Double(double value) {
  Value result;
  result.kind_ = ValueKind::kDouble;
  result.data_.real = value;
  return result;
}
inline Value Value::Text(ValueKind kind, Form form, std::string_view text) {
  Value result;
  result.kind_ = kind;
  result.form_ = form;
  result.data_.chars = text.data();
  result.size_ = text.size();
  return result;
}
inline Value Value::Time(ValueKind kind, int64_t seconds, int32_t nanos) {
  Value result;
  result.kind_ = kind;
  result.small_ = nanos;
  result.data_.integer = seconds;
  return result;
}
inline Value Value::List(const Value* items, size_t size) {
  Value result;
  result.kind_ = ValueKind::kList;
  result.data_.items = items;
  result.size_ = size;
  return result;
}
inline Value Value::Map(const MapData* map) {
  Value result;
  result.kind_ = ValueKind::kMap;
  result.data_.map = map;
  return result;
}
inline Value Value::Struct(const StructData* data) {
  Value result;
  result.kind_ = ValueKind::kStruct;
  result.data_.structure = data;
  return result;
}
inline Value Value::OfColumn(ValueKind kind, const Column* column, size_t row) {
  Value result;
  result.kind_ = kind;
  result.form_ = Form::kColumn;
  result.data_.column = column;
  result.size_ = row;
  return result;
}
inline Value Value::Optional(const Value* value) {
  Value result;
  result.kind_ = ValueKind::kOptional;
  result.data_.items = value;
  return result;
}
inline Value Value::Error(std::string_view message, int offset) {
  Value result = Text(ValueKind::kError, Form::kPlain, message);
  result.small_ = offset;
  return result;
}

}  // namespace millrace::worker
