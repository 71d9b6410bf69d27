#include "worker/window/value_store.h"

#include <cmath>
#include <cstring>
#include <memory>

namespace millrace::worker {
namespace {

template <typename T>
void AppendRaw(T value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
T ReadRaw(std::string_view* bytes) {
  T value;
  std::memcpy(&value, bytes->data(), sizeof(value));
  bytes->remove_prefix(sizeof(value));
  return value;
}

bool IsList(Kind kind) { return kind == Kind::kList || kind == Kind::kMap; }

template <typename T>
int Order(T a, T b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

int OrderDoubles(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return Order(std::isnan(a), std::isnan(b));
  return Order(a, b);
}

}  // namespace

void AppendCell(const Column& column, size_t row, std::string* out) {
  const bool null = column.IsNull(row);
  out->push_back(null ? '\0' : '\1');
  if (null) return;
  const Kind kind = column.kind();
  if (kind == Kind::kBool) {
    out->push_back(static_cast<char>(column.bools[row]));
  } else if (column.type().is_int64()) {
    AppendRaw(column.ints[row], out);
  } else if (kind == Kind::kUint) {
    AppendRaw(column.uints[row], out);
  } else if (kind == Kind::kDouble) {
    AppendRaw(column.doubles[row], out);
  } else if (column.type().is_binary()) {
    AppendRaw(static_cast<uint64_t>(column.strings[row].size()), out);
    out->append(column.strings[row]);
  } else if (IsList(kind)) {
    AppendRaw(static_cast<uint64_t>(column.list_end(row) - column.list_begin(row)), out);
    for (size_t i = column.list_begin(row); i < column.list_end(row); ++i) {
      for (const auto& child : column.children) AppendCell(*child, i, out);
    }
  } else {
    for (const auto& child : column.children) AppendCell(*child, row, out);
  }
}

void ReadCell(std::string_view* bytes, Arena* arena, Column* out) {
  const Kind kind = out->kind();
  if (ReadRaw<char>(bytes) == 0) {
    out->AppendNull();
  } else if (kind == Kind::kBool) {
    out->AppendBool(ReadRaw<char>(bytes) != 0);
  } else if (out->type().is_int64()) {
    out->AppendInt(ReadRaw<int64_t>(bytes));
  } else if (kind == Kind::kUint) {
    out->AppendUint(ReadRaw<uint64_t>(bytes));
  } else if (kind == Kind::kDouble) {
    out->AppendDouble(ReadRaw<double>(bytes));
  } else if (out->type().is_binary()) {
    const auto size = ReadRaw<uint64_t>(bytes);
    out->AppendView(arena->Copy(bytes->substr(0, size)));
    bytes->remove_prefix(size);
  } else if (IsList(kind)) {
    const auto count = ReadRaw<uint64_t>(bytes);
    for (uint64_t i = 0; i < count; ++i) {
      for (const auto& child : out->children) ReadCell(bytes, arena, child.get());
    }
    out->FinishList();
  } else {
    for (const auto& child : out->children) ReadCell(bytes, arena, child.get());
    out->FinishStruct();
  }
}

void AddOwnerDeep(const Owner& owner, Column* column) {
  column->AddOwner(owner);
  for (const auto& child : column->children) AddOwnerDeep(owner, child.get());
}

ValueStore::ValueStore(Type type) {
  if (type.kind() == Kind::kBool) {
    form_ = Form::kBool;
  } else if (type.is_int64()) {
    form_ = Form::kInt;
  } else if (type.kind() == Kind::kUint) {
    form_ = Form::kUint;
  } else if (type.kind() == Kind::kDouble) {
    form_ = Form::kDouble;
  } else {
    form_ = type.is_binary() ? Form::kBinary : Form::kCell;
  }
}

void ValueStore::Resize(size_t rows) {
  switch (form_) {
    case Form::kBool:
    case Form::kInt:
      return ints_.resize(rows);
    case Form::kUint:
      return uints_.resize(rows);
    case Form::kDouble:
      return doubles_.resize(rows);
    case Form::kBinary:
    case Form::kCell:
      return strings_.resize(rows);
  }
}

void ValueStore::Set(uint32_t row, const Column& column, size_t i) {
  switch (form_) {
    case Form::kBool:
      ints_[row] = column.bools[i];
      return;
    case Form::kInt:
      ints_[row] = column.ints[i];
      return;
    case Form::kUint:
      uints_[row] = column.uints[i];
      return;
    case Form::kDouble:
      doubles_[row] = column.doubles[i];
      return;
    case Form::kBinary:
      strings_[row].assign(column.strings[i]);
      return;
    case Form::kCell:
      strings_[row].clear();
      AppendCell(column, i, &strings_[row]);
      return;
  }
}

int ValueStore::Compare(uint32_t row, const Column& column, size_t i) const {
  switch (form_) {
    case Form::kBool:
      return Order<int64_t>(ints_[row], column.bools[i]);
    case Form::kInt:
      return Order(ints_[row], column.ints[i]);
    case Form::kUint:
      return Order(uints_[row], column.uints[i]);
    case Form::kDouble:
      return OrderDoubles(doubles_[row], column.doubles[i]);
    case Form::kBinary:
    case Form::kCell:
      return Order(std::string_view(strings_[row]), column.strings[i]);
  }
  return 0;
}

void ValueStore::Append(std::span<const uint32_t> rows, const std::vector<uint8_t>& present,
                        Column* out) const {
  std::shared_ptr<Arena> arena;
  if (form_ == Form::kBinary || form_ == Form::kCell) {
    arena = std::make_shared<Arena>();
    AddOwnerDeep(arena, out);
  }
  for (const uint32_t row : rows) {
    if (present[row] == 0) {
      out->AppendNull();
      continue;
    }
    switch (form_) {
      case Form::kBool:
        out->AppendBool(ints_[row] != 0);
        break;
      case Form::kInt:
        out->AppendInt(ints_[row]);
        break;
      case Form::kUint:
        out->AppendUint(uints_[row]);
        break;
      case Form::kDouble:
        out->AppendDouble(doubles_[row]);
        break;
      case Form::kBinary:
        out->AppendView(arena->Copy(strings_[row]));
        break;
      case Form::kCell: {
        std::string_view cell = strings_[row];
        ReadCell(&cell, arena.get(), out);
        break;
      }
    }
  }
}

void ValueStore::Clear(uint32_t row) {
  if (!strings_.empty()) std::string().swap(strings_[row]);
}

size_t ValueStore::ByteSize() const {
  return (ints_.size() + uints_.size() + doubles_.size()) * 8 +
         strings_.size() * sizeof(std::string);
}

}  // namespace millrace::worker
