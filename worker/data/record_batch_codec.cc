#include <cstring>
#include <limits>

#include "crds/base/wire.h"
#include "worker/data/record_batch.h"

// A batch as bytes, little-endian, version 1:
//   batch  = version:u8 rows:varint fields:varint field* column*           one column per field
//   field  = name:bytes type
//   type   = kind:u8 (bit 7: nullable) part*
//            parts: list: element type; map: key type, value type; struct: fields:varint field*
//   column = nulls:u8 (0 none, 1: bitmap of present rows follows, lowest bit first) values
//   values = bool: bitmap | int64, uint64, double: 8 bytes a row | string, bytes, json:
//   length:varint a row, then all bytes
//          | list, map: length:varint a row, then the child columns | struct: the child columns
//   bytes  = length:varint byte*
// Kinds are numbered as enum Kind; only those that may stand in a schema occur.
namespace millrace::worker {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kNullableBit = 0x80;
constexpr int kMaxDepth = 32;
constexpr uint64_t kMaxRows = std::numeric_limits<uint32_t>::max();

void WriteType(const Type& type, WireWriter* out) {
  out->U8(static_cast<uint8_t>(static_cast<uint8_t>(type.kind()) |
                               (type.nullable() ? kNullableBit : 0)));
  if (type.kind() == Kind::kList) {
    WriteType(type.element(), out);
  } else if (type.kind() == Kind::kMap) {
    WriteType(type.map_key(), out);
    WriteType(type.map_value(), out);
  } else if (type.kind() == Kind::kStruct) {
    out->Varint(type.fields().size());
    for (const Field& field : type.fields()) {
      out->Bytes(field.name);
      WriteType(field.type, out);
    }
  }
}

void WriteBits(const std::vector<uint8_t>& flags, std::string* out) {
  const size_t begin = out->size();
  out->resize(begin + (flags.size() + 7) / 8);
  for (size_t i = 0; i < flags.size(); ++i) {
    if (flags[i] != 0) (*out)[begin + i / 8] |= static_cast<char>(1 << (i % 8));
  }
}

template <typename T>
void WriteFixed(const std::vector<T>& values, std::string* out) {
  static_assert(sizeof(T) == 8);
  out->append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T));
}

void WriteStrings(const std::vector<std::string_view>& values, std::string* out) {
  WireWriter writer(out);
  size_t bytes = 0;
  for (const std::string_view value : values) {
    writer.Varint(value.size());
    bytes += value.size();
  }
  out->reserve(out->size() + bytes);
  for (const std::string_view value : values) out->append(value);
}

void WriteColumn(const Column& column, std::string* out);

void WriteLengths(const Column& column, std::string* out) {
  WireWriter writer(out);
  for (size_t row = 0; row < column.size(); ++row)
    writer.Varint(column.list_end(row) - column.list_begin(row));
}

void WriteColumn(const Column& column, std::string* out) {
  out->push_back(column.has_nulls() ? 1 : 0);
  if (column.has_nulls()) WriteBits(column.valid, out);
  switch (column.kind()) {
    case Kind::kBool:
      WriteBits(column.bools, out);
      break;
    case Kind::kInt:
    case Kind::kTimestamp:
    case Kind::kDuration:
      WriteFixed(column.ints, out);
      break;
    case Kind::kUint:
      WriteFixed(column.uints, out);
      break;
    case Kind::kDouble:
      WriteFixed(column.doubles, out);
      break;
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kJson:
      WriteStrings(column.strings, out);
      break;
    case Kind::kList:
    case Kind::kMap:
      WriteLengths(column, out);
      break;
    case Kind::kStruct:
      break;
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      CHECK(false);
  }
  for (const std::shared_ptr<Column>& child : column.children) WriteColumn(*child, out);
}

// Reads a batch back. After the first fault everything it returns is empty and ok() is false.
class BatchReader {
 public:
  explicit BatchReader(std::string_view bytes) : in_(bytes), arena_(std::make_shared<Arena>()) {}

  bool ok() const { return ok_ && in_.ok(); }

  Result<RecordBatch> Read() {
    if (const uint8_t version = in_.U8(); ok() && version != kVersion) {
      return InternalError("the batch has format version " + std::to_string(version) +
                           ", this build reads 1");
    }
    const uint64_t rows = in_.Varint();
    auto schema = std::make_shared<Schema>(ReadFields(0));
    if (rows > kMaxRows) ok_ = false;
    std::vector<ColumnRef> columns;
    for (const Field& field : schema->fields()) {
      if (!ok()) break;
      auto column = std::make_shared<Column>(field.type);
      ReadColumn(rows, column.get());
      columns.push_back(std::move(column));
    }
    if (!ok() || !in_.done()) return InternalError("corrupt record batch");
    return RecordBatch(std::move(schema), std::move(columns), rows);
  }

 private:
  std::vector<Field> ReadFields(int depth) {
    const uint64_t count = in_.Count(2);
    std::vector<Field> fields;
    for (uint64_t i = 0; i < count && ok(); ++i) {
      std::string name(in_.Bytes());
      fields.push_back({std::move(name), ReadType(depth)});
    }
    return fields;
  }

  Type ReadType(int depth) {
    const uint8_t tag = in_.U8();
    const uint8_t kind = tag & ~kNullableBit;
    if (!ok() || depth > kMaxDepth || kind > static_cast<uint8_t>(Kind::kStruct)) {
      ok_ = false;
      return Type();
    }
    Type type{static_cast<Kind>(kind)};
    if (type.kind() == Kind::kList) {
      type = Type::List(ReadType(depth + 1));
    } else if (type.kind() == Kind::kMap) {
      Type key = ReadType(depth + 1);
      type = Type::Map(std::move(key), ReadType(depth + 1));
    } else if (type.kind() == Kind::kStruct) {
      type = Type::Struct(ReadFields(depth + 1));
    }
    return (tag & kNullableBit) != 0 ? type.AsNullable() : type;
  }

  void ReadColumn(uint64_t rows, Column* column) {
    const uint8_t nulls = in_.U8();
    if (nulls > 1) ok_ = false;
    if (nulls == 1) ReadBits(rows, &column->valid);
    switch (column->kind()) {
      case Kind::kBool:
        ReadBits(rows, &column->bools);
        break;
      case Kind::kInt:
      case Kind::kTimestamp:
      case Kind::kDuration:
        ReadFixed(rows, &column->ints);
        break;
      case Kind::kUint:
        ReadFixed(rows, &column->uints);
        break;
      case Kind::kDouble:
        ReadFixed(rows, &column->doubles);
        break;
      case Kind::kString:
      case Kind::kBytes:
      case Kind::kJson:
        ReadStrings(rows, column);
        break;
      case Kind::kList:
      case Kind::kMap:
        ReadLists(rows, column);
        break;
      case Kind::kStruct:
        ReadChildren(rows, column);
        break;
      case Kind::kNull:
      case Kind::kDyn:
      case Kind::kOptional:
      case Kind::kTypeType:
      case Kind::kTypeParam:
        ok_ = false;
    }
    column->set_size(rows);
  }

  // The next `bytes` bytes, or a fault when the input has fewer.
  std::string_view Take(uint64_t bytes) { return ok() ? in_.Take(bytes) : std::string_view(); }

  void ReadBits(uint64_t rows, std::vector<uint8_t>* flags) {
    const std::string_view bits = Take((rows + 7) / 8);
    if (!ok()) return;
    flags->resize(rows);
    for (size_t i = 0; i < rows; ++i)
      (*flags)[i] = (static_cast<uint8_t>(bits[i / 8]) >> (i % 8)) & 1;
  }

  template <typename T>
  void ReadFixed(uint64_t rows, std::vector<T>* values) {
    const std::string_view raw = Take(rows * sizeof(T));  // no overflow: rows < 2^32
    if (!ok() || rows == 0) return;
    values->resize(rows);
    std::memcpy(values->data(), raw.data(), raw.size());
  }

  // Lengths of `rows` strings or lists as end positions; the sum stays below 2^32.
  std::vector<uint32_t> ReadEnds(uint64_t rows) {
    if (rows > in_.rest().size()) ok_ = false;  // each length has a byte at least
    std::vector<uint32_t> ends;
    if (!ok()) return ends;
    ends.reserve(rows);
    uint64_t end = 0;
    for (uint64_t i = 0; i < rows; ++i) {
      const uint64_t length = in_.Varint();
      if (length > kMaxRows - end) ok_ = false;
      if (!ok()) return {};
      end += length;
      ends.push_back(static_cast<uint32_t>(end));
    }
    return ends;
  }

  void ReadStrings(uint64_t rows, Column* column) {
    const std::vector<uint32_t> ends = ReadEnds(rows);
    const std::string_view raw = Take(ends.empty() ? 0 : ends.back());
    if (!ok()) return;
    const std::string_view bytes = arena_->Copy(raw);
    column->strings.reserve(rows);
    uint32_t begin = 0;
    for (const uint32_t end : ends) {
      column->strings.push_back(bytes.substr(begin, end - begin));
      begin = end;
    }
    column->AddOwner(arena_);
  }

  void ReadLists(uint64_t rows, Column* column) {
    const std::vector<uint32_t> ends = ReadEnds(rows);
    column->offsets.insert(column->offsets.end(), ends.begin(), ends.end());
    if (ok()) ReadChildren(column->offsets.back(), column);
  }

  void ReadChildren(uint64_t rows, Column* column) {
    for (const std::shared_ptr<Column>& child : column->children) {
      if (!ok()) return;
      ReadColumn(rows, child.get());
    }
  }

  WireReader in_;
  std::shared_ptr<Arena> arena_;
  bool ok_ = true;
};

}  // namespace

void EncodeBatch(const RecordBatch& batch, std::string* out) {
  WireWriter writer(out);
  writer.U8(kVersion);
  writer.Varint(batch.num_rows());
  writer.Varint(batch.num_columns());
  for (const Field& field : batch.schema().fields()) {
    writer.Bytes(field.name);
    WriteType(field.type, &writer);
  }
  for (const ColumnRef& column : batch.columns()) WriteColumn(*column, out);
}

Result<RecordBatch> DecodeBatch(std::string_view bytes) { return BatchReader(bytes).Read(); }

}  // namespace millrace::worker
