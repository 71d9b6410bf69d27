#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"

namespace millrace::worker {

// Kinds up to kStruct may stand in a schema; the rest exist only inside expressions.
enum class Kind : uint8_t {
  kBool,
  kInt,
  kUint,
  kDouble,
  kString,
  kBytes,
  kTimestamp,  // microseconds since the epoch
  kDuration,   // microseconds
  kJson,       // one JSON value, kept as its text
  kList,
  kMap,
  kStruct,
  kNull,
  kDyn,
  kOptional,  // CEL optional_type(T)
  kTypeType,  // CEL type(T)
  kTypeParam,
};

struct Field;

// An immutable type: kind, nullability and, for containers, parts. Cheap to copy (shares its
// parts); thread-safe to read.
class Type {
 public:
  Type() = default;  // kNull
  explicit Type(Kind kind, bool nullable = false) : kind_(kind), nullable_(nullable) {}
  static Type List(Type element);
  static Type Map(Type key, Type value);  // in schemas the key is kString
  static Type Struct(std::vector<Field> fields);
  static Type Optional(Type value);
  static Type TypeOf(Type value);
  static Type Param(std::string name);

  Kind kind() const { return kind_; }
  bool nullable() const { return nullable_; }
  Type AsNullable() const;
  Type AsRequired() const;

  // Requires: kList, kOptional or kTypeType.
  const Type& element() const;
  // Requires: kMap.
  const Type& map_key() const;
  const Type& map_value() const;
  // Requires: kStruct. Fields in declared order.
  const std::vector<Field>& fields() const;
  // Index of a struct field, -1 when there is none.
  int FindField(std::string_view name) const;
  // Requires: kTypeParam.
  const std::string& param_name() const;

  bool is_numeric() const {
    return kind_ == Kind::kInt || kind_ == Kind::kUint || kind_ == Kind::kDouble;
  }
  // Strings, bytes and json share one physical form (string views).
  bool is_binary() const {
    return kind_ == Kind::kString || kind_ == Kind::kBytes || kind_ == Kind::kJson;
  }
  // int, timestamp and duration share one physical form (int64).
  bool is_int64() const {
    return kind_ == Kind::kInt || kind_ == Kind::kTimestamp || kind_ == Kind::kDuration;
  }

  // "list<struct<sku: string, qty: int?>>": what ParseType reads.
  std::string ToString() const;
  // Nullability counts.
  friend bool operator==(const Type& a, const Type& b);

 private:
  struct Parts;
  Kind kind_ = Kind::kNull;
  bool nullable_ = false;
  std::shared_ptr<const Parts> parts_;
};

struct Field {
  std::string name;
  Type type;
  friend bool operator==(const Field& a, const Field& b) = default;
};

// Ordered, uniquely named fields. Names beginning with "__" are hidden: usable in expressions, not
// written by sinks.
class Schema {
 public:
  Schema() = default;
  explicit Schema(std::vector<Field> fields) : fields_(std::move(fields)) {}

  const std::vector<Field>& fields() const { return fields_; }
  size_t size() const { return fields_.size(); }
  const Field& operator[](size_t i) const { return fields_[i]; }
  int Find(std::string_view name) const;
  // Replaces the field of this name or appends it.
  void Set(Field field);
  std::vector<std::string> VisibleNames() const;
  // The schema as a struct type (all fields, hidden ones too).
  Type AsStruct() const { return Type::Struct(fields_); }
  // "{word: string, count: int}", visible fields only.
  std::string ToString() const;
  static bool IsHidden(std::string_view name) { return name.starts_with("__"); }
  friend bool operator==(const Schema& a, const Schema& b) = default;

 private:
  std::vector<Field> fields_;
};
using SchemaRef = std::shared_ptr<const Schema>;

// Reads the type grammar of schemas (bool int uint double string bytes timestamp duration json,
// list<T>, map<string,T>, struct<a: T, b: T?>, T?). Depth limit 16. Errors name the column in
// `text` and the known names ("did you mean").
Result<Type> ParseType(std::string_view text);

}  // namespace millrace::worker
