#include "worker/data/column.h"

#include <algorithm>

namespace millrace::worker {
namespace {

// The duplicate check of owners looks this far back: enough for columns built from a few batches in
// turn.
constexpr size_t kOwnerWindow = 8;

template <typename T>
void AppendRows(const std::vector<T>& from, std::span<const uint32_t> rows, std::vector<T>* to) {
  const size_t old_size = to->size();
  to->resize(old_size + rows.size());
  T* target = to->data() + old_size;
  const T* source = from.data();
  for (const uint32_t row : rows) *target++ = source[row];
}

template <typename T>
void AppendSpan(const std::vector<T>& from, size_t begin, size_t end, std::vector<T>* to) {
  to->insert(to->end(), from.begin() + static_cast<ptrdiff_t>(begin),
             from.begin() + static_cast<ptrdiff_t>(end));
}

size_t StringBytes(const Column& column) {
  size_t bytes = column.strings.size() * sizeof(std::string_view);
  for (const std::string_view text : column.strings) bytes += text.size();
  return bytes;
}

void MoveStringsInto(Column* column, const std::shared_ptr<Arena>& arena) {
  for (std::string_view& text : column->strings) text = arena->Copy(text);
  column->owners.clear();
  if (!column->strings.empty()) column->owners.push_back(arena);
  for (const std::shared_ptr<Column>& child : column->children) MoveStringsInto(child.get(), arena);
}

}  // namespace

Column::Column(Type type) : type_(std::move(type)) {
  switch (type_.kind()) {
    case Kind::kList:
      offsets.push_back(0);
      children.push_back(std::make_shared<Column>(type_.element()));
      break;
    case Kind::kMap:
      offsets.push_back(0);
      children.push_back(std::make_shared<Column>(type_.map_key()));
      children.push_back(std::make_shared<Column>(type_.map_value()));
      break;
    case Kind::kStruct:
      for (const Field& field : type_.fields())
        children.push_back(std::make_shared<Column>(field.type));
      break;
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kTimestamp:
    case Kind::kDuration:
    case Kind::kJson:
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      break;
  }
}

void Column::Reserve(size_t rows) {
  switch (type_.kind()) {
    case Kind::kBool:
      bools.reserve(rows);
      break;
    case Kind::kInt:
    case Kind::kTimestamp:
    case Kind::kDuration:
      ints.reserve(rows);
      break;
    case Kind::kUint:
      uints.reserve(rows);
      break;
    case Kind::kDouble:
      doubles.reserve(rows);
      break;
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kJson:
      strings.reserve(rows);
      break;
    case Kind::kList:
    case Kind::kMap:
      offsets.reserve(rows + 1);
      break;
    case Kind::kStruct:
      for (const std::shared_ptr<Column>& child : children) child->Reserve(rows);
      break;
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      break;
  }
}

void Column::MarkValid() {
  if (!valid.empty()) valid.push_back(1);
  ++size_;
}

void Column::AppendZero() {
  switch (type_.kind()) {
    case Kind::kBool:
      bools.push_back(0);
      break;
    case Kind::kInt:
    case Kind::kTimestamp:
    case Kind::kDuration:
      ints.push_back(0);
      break;
    case Kind::kUint:
      uints.push_back(0);
      break;
    case Kind::kDouble:
      doubles.push_back(0);
      break;
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kJson:
      strings.emplace_back();
      break;
    case Kind::kList:
    case Kind::kMap:
      offsets.push_back(offsets.back());
      break;
    case Kind::kStruct:
      for (const std::shared_ptr<Column>& child : children) child->AppendMissing();
      break;
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      break;
  }
}

void Column::AppendMissing() {
  if (type_.nullable()) {
    AppendNull();
  } else {
    AppendZero();
    MarkValid();
  }
}

void Column::AppendNull() {
  if (valid.empty()) valid.assign(size_, 1);
  AppendZero();
  valid.push_back(0);
  ++size_;
}

void Column::AppendBool(bool value) {
  bools.push_back(value ? 1 : 0);
  MarkValid();
}

void Column::AppendInt(int64_t value) {
  ints.push_back(value);
  MarkValid();
}

void Column::AppendUint(uint64_t value) {
  uints.push_back(value);
  MarkValid();
}

void Column::AppendDouble(double value) {
  doubles.push_back(value);
  MarkValid();
}

void Column::AppendView(std::string_view value) {
  strings.push_back(value);
  MarkValid();
}

void Column::FinishList() {
  offsets.push_back(static_cast<uint32_t>(children[0]->size()));
  MarkValid();
}

void Column::FinishStruct() { MarkValid(); }

void Column::AppendFrom(const Column& other, size_t row) { AppendRange(other, row, row + 1); }

void Column::AppendAll(const Column& other) { AppendRange(other, 0, other.size()); }

void Column::AppendGather(const Column& other, std::span<const uint32_t> rows) {
  if (!valid.empty() || !other.valid.empty()) {
    if (valid.empty()) valid.assign(size_, 1);
    if (other.valid.empty()) {
      valid.insert(valid.end(), rows.size(), 1);
    } else {
      AppendRows(other.valid, rows, &valid);
    }
  }
  GatherValues(other, rows);
  size_ += rows.size();
  if (!valid.empty() && std::memchr(valid.data(), 0, valid.size()) == nullptr) valid.clear();
  AddOwnersOf(other);
}

void Column::GatherValues(const Column& other, std::span<const uint32_t> rows) {
  switch (type_.kind()) {
    case Kind::kBool:
      return AppendRows(other.bools, rows, &bools);
    case Kind::kInt:
    case Kind::kTimestamp:
    case Kind::kDuration:
      return AppendRows(other.ints, rows, &ints);
    case Kind::kUint:
      return AppendRows(other.uints, rows, &uints);
    case Kind::kDouble:
      return AppendRows(other.doubles, rows, &doubles);
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kJson:
      return AppendRows(other.strings, rows, &strings);
    case Kind::kList:
    case Kind::kMap:
      return GatherElements(other, rows);
    case Kind::kStruct:
      for (size_t i = 0; i < children.size(); ++i)
        children[i]->AppendGather(*other.children[i], rows);
      return;
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      return;
  }
}

void Column::GatherElements(const Column& other, std::span<const uint32_t> rows) {
  size_t total = 0;
  for (const uint32_t row : rows) total += other.list_end(row) - other.list_begin(row);
  std::vector<uint32_t> elements;
  elements.reserve(total);
  offsets.reserve(offsets.size() + rows.size());
  for (const uint32_t row : rows) {
    for (uint32_t i = other.offsets[row]; i < other.offsets[row + 1]; ++i) elements.push_back(i);
    offsets.push_back(offsets.back() + other.offsets[row + 1] - other.offsets[row]);
  }
  for (size_t i = 0; i < children.size(); ++i)
    children[i]->AppendGather(*other.children[i], elements);
}

void Column::AppendRange(const Column& other, size_t begin, size_t end) {
  const bool nulls =
      !other.valid.empty() && std::memchr(other.valid.data() + begin, 0, end - begin) != nullptr;
  if (nulls) {
    if (valid.empty()) valid.assign(size_, 1);
    AppendSpan(other.valid, begin, end, &valid);
  } else if (!valid.empty()) {
    valid.insert(valid.end(), end - begin, 1);
  }
  AppendRangeValues(other, begin, end);
  size_ += end - begin;
  AddOwnersOf(other);
}

void Column::AppendRangeValues(const Column& other, size_t begin, size_t end) {
  switch (type_.kind()) {
    case Kind::kBool:
      return AppendSpan(other.bools, begin, end, &bools);
    case Kind::kInt:
    case Kind::kTimestamp:
    case Kind::kDuration:
      return AppendSpan(other.ints, begin, end, &ints);
    case Kind::kUint:
      return AppendSpan(other.uints, begin, end, &uints);
    case Kind::kDouble:
      return AppendSpan(other.doubles, begin, end, &doubles);
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kJson:
      return AppendSpan(other.strings, begin, end, &strings);
    case Kind::kList:
    case Kind::kMap: {
      const uint32_t shift = offsets.back() - other.offsets[begin];  // wraps as unsigned numbers do
      for (size_t row = begin; row < end; ++row) offsets.push_back(other.offsets[row + 1] + shift);
      for (size_t i = 0; i < children.size(); ++i) {
        children[i]->AppendRange(*other.children[i], other.offsets[begin], other.offsets[end]);
      }
      return;
    }
    case Kind::kStruct:
      for (size_t i = 0; i < children.size(); ++i)
        children[i]->AppendRange(*other.children[i], begin, end);
      return;
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      return;
  }
}

void Column::AddOwner(Owner owner) {
  const size_t first = owners.size() > kOwnerWindow ? owners.size() - kOwnerWindow : 0;
  for (size_t i = owners.size(); i > first; --i) {
    if (owners[i - 1] == owner) return;
  }
  owners.push_back(std::move(owner));
}

void Column::AddOwnersOf(const Column& other) {
  const size_t count = other.owners.size();
  if (count == 0) return;
  const bool just_added =
      owners.size() >= count && std::equal(other.owners.begin(), other.owners.end(),
                                           owners.end() - static_cast<ptrdiff_t>(count));
  if (just_added) return;
  for (const Owner& owner : other.owners) AddOwner(owner);
}

size_t Column::ByteSize() const {
  size_t bytes = valid.size() + bools.size() + 8 * (ints.size() + uints.size() + doubles.size()) +
                 4 * offsets.size();
  bytes += StringBytes(*this);
  for (const std::shared_ptr<Column>& child : children) bytes += child->ByteSize();
  return bytes;
}

ColumnRef RepeatRow(const Column& value, size_t row, size_t size) {
  const std::vector<uint32_t> rows(size, static_cast<uint32_t>(row));
  return Gather(value, rows);
}

ColumnRef Gather(const Column& column, std::span<const uint32_t> rows) {
  auto result = std::make_shared<Column>(column.type());
  result->AppendGather(column, rows);
  return result;
}

ColumnRef DeepCopy(const Column& column) {
  auto copy = std::make_shared<Column>(column.type());
  copy->AppendAll(column);
  MoveStringsInto(copy.get(), std::make_shared<Arena>());
  return copy;
}

}  // namespace millrace::worker
