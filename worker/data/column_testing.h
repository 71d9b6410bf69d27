#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "worker/data/record_batch.h"

// Columns and batches for tests.
namespace millrace::worker::testing {

inline Type TypeOf(std::string_view text) {
  Result<Type> type = ParseType(text);
  CHECK(type.ok());
  return std::move(type).value();
}

// Strings are copied; nullopt is null and makes the type nullable.
inline ColumnRef Strings(const std::vector<std::optional<std::string>>& values) {
  bool nullable = false;
  for (const auto& value : values) nullable |= !value.has_value();
  auto column = std::make_shared<Column>(Type(Kind::kString, nullable));
  auto arena = std::make_shared<Arena>();
  for (const auto& value : values) {
    if (value.has_value()) {
      column->AppendView(arena->Copy(*value));
    } else {
      column->AppendNull();
    }
  }
  column->AddOwner(arena);
  return column;
}

inline ColumnRef Ints(const std::vector<std::optional<int64_t>>& values, Kind kind = Kind::kInt) {
  bool nullable = false;
  for (const auto& value : values) nullable |= !value.has_value();
  auto column = std::make_shared<Column>(Type(kind, nullable));
  for (const auto& value : values) {
    if (value.has_value()) {
      column->AppendInt(*value);
    } else {
      column->AppendNull();
    }
  }
  return column;
}

inline ColumnRef Doubles(const std::vector<double>& values) {
  auto column = std::make_shared<Column>(Type(Kind::kDouble));
  for (const double value : values) column->AppendDouble(value);
  return column;
}

inline RecordBatch Batch(std::vector<std::pair<std::string, ColumnRef>> fields) {
  std::vector<Field> schema;
  std::vector<ColumnRef> columns;
  const size_t rows = fields.empty() ? 0 : fields.front().second->size();
  for (auto& [name, column] : fields) {
    schema.push_back({name, column->type()});
    columns.push_back(std::move(column));
  }
  return RecordBatch(std::make_shared<Schema>(std::move(schema)), std::move(columns), rows);
}

// Appends one random value: edge values often, strings short over a small alphabet with zero bytes,
// lists of up to 3.
inline void AppendRandom(Column* column, Arena* arena, std::mt19937_64* random) {
  auto& next = *random;
  if (column->type().nullable() && next() % 4 == 0) return column->AppendNull();
  static constexpr int64_t kInts[] = {0, 1, -1, 2, 7, 1000, INT64_MAX, INT64_MIN};
  static constexpr int64_t kTimes[] = {0,
                                       1,
                                       -1,
                                       1'500'000,
                                       -90'000'000,
                                       86'400'000'000,
                                       -9'000'000'000'000'000,
                                       1'717'243'200'123'456};
  static constexpr double kDoubles[] = {0.0, -0.0, 1.5, -2.25, 1e300, -1e-300, 3.0};
  static constexpr char kBytes[] = {'a', 'b', 'B', ' ', '\0', '\xff'};
  switch (column->kind()) {
    case Kind::kBool:
      return column->AppendBool(next() % 2 == 0);
    case Kind::kInt:
      return column->AppendInt(kInts[next() % std::size(kInts)]);
    case Kind::kTimestamp:
    case Kind::kDuration:
      return column->AppendInt(kTimes[next() % std::size(kTimes)]);
    case Kind::kUint:
      return column->AppendUint(static_cast<uint64_t>(kInts[next() % std::size(kInts)]));
    case Kind::kDouble:
      return column->AppendDouble(kDoubles[next() % std::size(kDoubles)]);
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kJson: {
      std::string text;
      for (size_t i = next() % 4; i > 0; --i) text += kBytes[next() % std::size(kBytes)];
      return column->AppendView(arena->Copy(text));
    }
    case Kind::kList:
      for (size_t i = next() % 4; i > 0; --i)
        AppendRandom(column->children[0].get(), arena, random);
      return column->FinishList();
    case Kind::kMap:
      if (next() % 2 == 0) {
        AppendRandom(column->children[0].get(), arena, random);
        AppendRandom(column->children[1].get(), arena, random);
      }
      return column->FinishList();
    case Kind::kStruct:
      for (const auto& child : column->children) AppendRandom(child.get(), arena, random);
      return column->FinishStruct();
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      CHECK(false);
  }
}

inline void OwnStrings(Column* column, const Owner& owner) {
  column->AddOwner(owner);
  for (const auto& child : column->children) OwnStrings(child.get(), owner);
}

inline ColumnRef RandomColumn(const Type& type, size_t rows, std::mt19937_64* random) {
  auto column = std::make_shared<Column>(type);
  auto arena = std::make_shared<Arena>();
  for (size_t i = 0; i < rows; ++i) AppendRandom(column.get(), arena.get(), random);
  OwnStrings(column.get(), arena);
  return column;
}

inline constexpr const char* kEveryType =
    "struct<a: bool, b: int?, c: uint, d: double?, e: string, f: bytes?, g: timestamp, h: "
    "duration?, "
    "i: list<string?>?, j: map<string, int>, k: struct<x: int, y: string?>?, l: list<struct<z: "
    "list<int>>>>";

inline RecordBatch RandomBatch(const std::string& struct_type, size_t rows,
                               std::mt19937_64* random) {
  std::vector<std::pair<std::string, ColumnRef>> fields;
  const Type type = TypeOf(struct_type);
  for (const Field& field : type.fields()) {
    fields.emplace_back(field.name, RandomColumn(field.type, rows, random));
  }
  return Batch(std::move(fields));
}

// True when both hold the same values in the same order.
inline bool SameValues(const Column& a, const Column& b) {
  if (a.size() != b.size() || !(a.type() == b.type())) return false;
  for (size_t row = 0; row < a.size(); ++row) {
    if (CompareRows(a, row, b, row) != 0) return false;
  }
  return true;
}

}  // namespace millrace::worker::testing
