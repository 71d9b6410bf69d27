#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "worker/data/record_batch.h"

// Encoded key: per column, in order
//   nullable types: 0x00 null | 0x01 then the value
//   bool            0x00 | 0x01
//   int, timestamp, duration   8 bytes big-endian, sign bit flipped          uint   8 bytes
//   big-endian double          8 bytes big-endian of the bits, sign flipped (positive) or all
//   flipped (negative); -0 as 0, one NaN string, bytes, json        the bytes with 0x00 as 0x00
//   0xff, then 0x00 0x00; bare as the only column list            per element 0x01 then the
//   element; 0x00 ends            map    as a list of key, value, sorted by key struct          its
//   members
// memcmp order of encodings is value order.
namespace millrace::worker {
namespace {

void PutBigEndian(uint64_t value, std::string* out) {
  const uint64_t swapped = __builtin_bswap64(value);
  char raw[8];
  std::memcpy(raw, &swapped, 8);
  out->append(raw, 8);
}

uint64_t OrderedInt(int64_t value) { return static_cast<uint64_t>(value) ^ (uint64_t{1} << 63); }

uint64_t OrderedDouble(double value) {
  if (std::isnan(value)) return std::numeric_limits<uint64_t>::max();
  const auto bits = std::bit_cast<uint64_t>(value == 0 ? 0.0 : value);
  return (bits >> 63) != 0 ? ~bits : bits ^ (uint64_t{1} << 63);
}

void PutText(std::string_view text, std::string* out) {
  for (const char c : text) {
    *out += c;
    if (c == '\0') *out += '\xff';
  }
  out->append(2, '\0');
}

void PutValue(const Column& column, size_t row, std::string* out);

void PutList(const Column& column, size_t row, std::string* out) {
  for (size_t i = column.list_begin(row); i < column.list_end(row); ++i) {
    *out += '\x01';
    PutValue(*column.children[0], i, out);
  }
  *out += '\0';
}

void PutMap(const Column& column, size_t row, std::string* out) {
  std::vector<size_t> entries(column.list_end(row) - column.list_begin(row));
  std::iota(entries.begin(), entries.end(), column.list_begin(row));
  const Column& keys = *column.children[0];
  std::sort(entries.begin(), entries.end(),
            [&](size_t a, size_t b) { return CompareRows(keys, a, keys, b) < 0; });
  for (const size_t i : entries) {
    *out += '\x01';
    PutValue(keys, i, out);
    PutValue(*column.children[1], i, out);
  }
  *out += '\0';
}

void PutPresent(const Column& column, size_t row, std::string* out) {
  switch (column.kind()) {
    case Kind::kBool:
      *out += static_cast<char>(column.bools[row]);
      return;
    case Kind::kInt:
    case Kind::kTimestamp:
    case Kind::kDuration:
      PutBigEndian(OrderedInt(column.ints[row]), out);
      return;
    case Kind::kUint:
      PutBigEndian(column.uints[row], out);
      return;
    case Kind::kDouble:
      PutBigEndian(OrderedDouble(column.doubles[row]), out);
      return;
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kJson:
      PutText(column.strings[row], out);
      return;
    case Kind::kList:
      PutList(column, row, out);
      return;
    case Kind::kMap:
      PutMap(column, row, out);
      return;
    case Kind::kStruct:
      for (const auto& child : column.children) PutValue(*child, row, out);
      return;
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      return;
  }
}

void PutValue(const Column& column, size_t row, std::string* out) {
  if (column.type().nullable()) {
    *out += column.IsNull(row) ? '\x00' : '\x01';
    if (column.IsNull(row)) return;
  }
  PutPresent(column, row, out);
}

bool IsBareText(const Column& column) {
  return column.type().is_binary() && !column.type().nullable();
}

void EncodeInts(const std::vector<int64_t>& values, Arena* arena,
                std::vector<std::string_view>* keys) {
  char* target = arena->Allocate(values.size() * 8);
  for (size_t i = 0; i < values.size(); ++i, target += 8) {
    const uint64_t ordered = __builtin_bswap64(OrderedInt(values[i]));
    std::memcpy(target, &ordered, 8);
    (*keys)[i] = {target, 8};
  }
}

}  // namespace

void KeyEncoder::Encode(const RecordBatch& batch, Arena* arena,
                        std::vector<std::string_view>* keys) const {
  const size_t rows = batch.num_rows();
  if (columns_.size() == 1) {
    const Column& only = batch.column(columns_[0]);
    if (IsBareText(only)) {
      keys->assign(only.strings.begin(), only.strings.end());
      return;
    }
    keys->resize(rows);
    if (only.type().is_int64() && !only.type().nullable())
      return EncodeInts(only.ints, arena, keys);
  }
  keys->assign(rows, std::string_view());
  if (columns_.empty()) return;
  std::string scratch;
  for (size_t row = 0; row < rows; ++row) {
    scratch.clear();
    for (const int column : columns_) PutValue(batch.column(column), row, &scratch);
    (*keys)[row] = arena->Copy(scratch);
  }
}

namespace {

// Reads encoded values back. Requires: bytes that PutValue wrote.
class KeyReader {
 public:
  KeyReader(std::string_view key, Arena* arena) : rest_(key), arena_(arena) {}

  void Take(const Type& type, Column* column) {
    if (type.nullable() && TakeByte() == 0) return column->AppendNull();
    switch (type.kind()) {
      case Kind::kBool:
        return column->AppendBool(TakeByte() != 0);
      case Kind::kInt:
      case Kind::kTimestamp:
      case Kind::kDuration:
        return column->AppendInt(static_cast<int64_t>(TakeBigEndian() ^ (uint64_t{1} << 63)));
      case Kind::kUint:
        return column->AppendUint(TakeBigEndian());
      case Kind::kDouble:
        return column->AppendDouble(TakeDouble());
      case Kind::kString:
      case Kind::kBytes:
      case Kind::kJson:
        return column->AppendView(TakeText());
      case Kind::kList:
        return TakeList(type, column);
      case Kind::kMap:
        return TakeMap(type, column);
      case Kind::kStruct:
        for (size_t i = 0; i < type.fields().size(); ++i)
          Take(type.fields()[i].type, column->children[i].get());
        return column->FinishStruct();
      case Kind::kNull:
      case Kind::kDyn:
      case Kind::kOptional:
      case Kind::kTypeType:
      case Kind::kTypeParam:
        return;
    }
  }

 private:
  uint8_t TakeByte() {
    const auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return byte;
  }
  uint64_t TakeBigEndian() {
    uint64_t value;
    std::memcpy(&value, rest_.data(), 8);
    rest_.remove_prefix(8);
    return __builtin_bswap64(value);
  }
  double TakeDouble() {
    const uint64_t ordered = TakeBigEndian();
    if (ordered == std::numeric_limits<uint64_t>::max())
      return std::numeric_limits<double>::quiet_NaN();
    return std::bit_cast<double>((ordered >> 63) != 0 ? ordered ^ (uint64_t{1} << 63) : ~ordered);
  }
  std::string_view TakeText() {
    std::string text;
    while (!(rest_[0] == '\0' && rest_[1] == '\0')) {
      text += rest_[0];
      rest_.remove_prefix(rest_[0] == '\0' ? 2 : 1);
    }
    rest_.remove_prefix(2);
    return arena_->Copy(text);
  }
  void TakeList(const Type& type, Column* column) {
    while (TakeByte() == 1) Take(type.element(), column->children[0].get());
    column->FinishList();
  }
  void TakeMap(const Type& type, Column* column) {
    while (TakeByte() == 1) {
      Take(type.map_key(), column->children[0].get());
      Take(type.map_value(), column->children[1].get());
    }
    column->FinishList();
  }

  std::string_view rest_;
  Arena* arena_;
};

void OwnAll(Column* column, const Owner& owner) {
  column->AddOwner(owner);
  for (const auto& child : column->children) OwnAll(child.get(), owner);
}

}  // namespace

std::vector<ColumnRef> DecodeKeys(std::span<const std::string_view> keys,
                                  std::span<const Type> types) {
  const auto arena = std::make_shared<Arena>();
  std::vector<std::shared_ptr<Column>> columns;
  for (const Type& type : types) columns.push_back(std::make_shared<Column>(type));
  const bool bare = types.size() == 1 && IsBareText(*columns[0]);
  for (const std::string_view key : keys) {
    if (bare) {
      columns[0]->AppendView(arena->Copy(key));
      continue;
    }
    KeyReader reader(key, arena.get());
    for (size_t i = 0; i < types.size(); ++i) reader.Take(types[i], columns[i].get());
  }
  for (const auto& column : columns) OwnAll(column.get(), arena);
  return {columns.begin(), columns.end()};
}

uint64_t HashKey(std::string_view key) { return XXH3_64bits(key.data(), key.size()); }

void HashKeys(std::span<const std::string_view> keys, std::vector<uint64_t>* hashes) {
  hashes->resize(keys.size());
  for (size_t i = 0; i < keys.size(); ++i)
    (*hashes)[i] = XXH3_64bits(keys[i].data(), keys[i].size());
}

}  // namespace millrace::worker
