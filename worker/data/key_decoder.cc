#include "worker/data/key_format.h"
#include "worker/data/record_batch.h"

namespace millrace::worker {
namespace {

// Reads one encoded key value by value. Requires: bytes that KeyEncoder wrote for these types.
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
        return column->AppendInt(key_format::IntOf(TakeBigEndian()));
      case Kind::kUint:
        return column->AppendUint(TakeBigEndian());
      case Kind::kDouble:
        return column->AppendDouble(key_format::DoubleOf(TakeBigEndian()));
      case Kind::kString:
      case Kind::kBytes:
      case Kind::kJson:
        return column->AppendView(TakeText());
      case Kind::kList:
        while (TakeByte() == 1) Take(type.element(), column->children[0].get());
        return column->FinishList();
      case Kind::kMap:
        while (TakeByte() == 1) {
          Take(type.map_key(), column->children[0].get());
          Take(type.map_value(), column->children[1].get());
        }
        return column->FinishList();
      case Kind::kStruct:
        for (size_t i = 0; i < column->children.size(); ++i) {
          Take(type.fields()[i].type, column->children[i].get());
        }
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
    uint64_t value = 0;
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return __builtin_bswap64(value);
  }
  std::string_view TakeText() {
    // Unescaping only shortens: the bytes up to the end mark are room enough.
    char* target = arena_->Allocate(rest_.size());
    size_t size = 0;
    size_t i = 0;
    for (; !(rest_[i] == '\0' && rest_[i + 1] == '\0'); i += rest_[i] == '\0' ? 2 : 1)
      target[size++] = rest_[i];
    arena_->Return(rest_.size() - size);
    rest_.remove_prefix(i + 2);
    return {target, size};
  }

  std::string_view rest_;
  Arena* arena_;
};

void OwnAll(Column* column, const Owner& owner) {
  column->AddOwner(owner);
  for (const std::shared_ptr<Column>& child : column->children) OwnAll(child.get(), owner);
}

}  // namespace

std::vector<ColumnRef> DecodeKeys(std::span<const std::string_view> keys,
                                  std::span<const Type> types) {
  const auto arena = std::make_shared<Arena>();
  std::vector<std::shared_ptr<Column>> columns;
  for (const Type& type : types) {
    columns.push_back(std::make_shared<Column>(type));
    columns.back()->Reserve(keys.size());
  }
  const bool bare = types.size() == 1 && key_format::IsBareText(types[0]);
  for (const std::string_view key : keys) {
    if (bare) {
      columns[0]->AppendView(arena->Copy(key));
      continue;
    }
    KeyReader reader(key, arena.get());
    for (size_t i = 0; i < types.size(); ++i) reader.Take(types[i], columns[i].get());
  }
  for (const std::shared_ptr<Column>& column : columns) OwnAll(column.get(), arena);
  return {columns.begin(), columns.end()};
}

}  // namespace millrace::worker
