#include <algorithm>
#include <numeric>

#include "worker/data/key_format.h"
#include "worker/data/record_batch.h"

namespace millrace::worker {
namespace {

size_t EscapedSize(std::string_view text) {
  size_t size = text.size() + 2;
  if (text.empty() || std::memchr(text.data(), 0, text.size()) == nullptr) return size;
  return size + static_cast<size_t>(std::count(text.begin(), text.end(), '\0'));
}

char* PutEscaped(std::string_view text, char* target) {
  if (text.empty() || std::memchr(text.data(), 0, text.size()) == nullptr) {
    if (!text.empty()) std::memcpy(target, text.data(), text.size());
    target += text.size();
  } else {
    for (const char c : text) {
      *target++ = c;
      if (c == '\0') *target++ = '\xff';
    }
  }
  *target++ = '\0';
  *target++ = '\0';
  return target;
}

bool IsNested(Kind kind) {
  return kind == Kind::kList || kind == Kind::kMap || kind == Kind::kStruct;
}

// ---- lists, maps and structs: value by value into a string ----

void AppendNested(const Column& column, size_t row, std::string* out);

void AppendBytes(uint64_t ordered, std::string* out) {
  char raw[8];
  key_format::PutBigEndian(ordered, raw);
  out->append(raw, sizeof raw);
}

void AppendText(std::string_view text, std::string* out) {
  const size_t begin = out->size();
  out->resize(begin + EscapedSize(text));
  PutEscaped(text, out->data() + begin);
}

std::vector<size_t> EntriesByKey(const Column& map, size_t row) {
  std::vector<size_t> entries(map.list_end(row) - map.list_begin(row));
  std::iota(entries.begin(), entries.end(), map.list_begin(row));
  const Column& keys = *map.children[0];
  std::sort(entries.begin(), entries.end(),
            [&](size_t a, size_t b) { return CompareRows(keys, a, keys, b) < 0; });
  return entries;
}

void AppendElements(const Column& column, size_t row, std::string* out) {
  if (column.kind() == Kind::kMap) {
    for (const size_t i : EntriesByKey(column, row)) {
      out->push_back('\x01');
      AppendNested(*column.children[0], i, out);
      AppendNested(*column.children[1], i, out);
    }
  } else {
    for (size_t i = column.list_begin(row); i < column.list_end(row); ++i) {
      out->push_back('\x01');
      AppendNested(*column.children[0], i, out);
    }
  }
  out->push_back('\0');
}

void AppendNested(const Column& column, size_t row, std::string* out) {
  if (column.type().nullable()) {
    out->push_back(column.IsNull(row) ? '\x00' : '\x01');
    if (column.IsNull(row)) return;
  }
  switch (column.kind()) {
    case Kind::kBool:
      return out->push_back(static_cast<char>(column.bools[row]));
    case Kind::kInt:
    case Kind::kTimestamp:
    case Kind::kDuration:
      return AppendBytes(key_format::OrderedInt(column.ints[row]), out);
    case Kind::kUint:
      return AppendBytes(column.uints[row], out);
    case Kind::kDouble:
      return AppendBytes(key_format::OrderedDouble(column.doubles[row]), out);
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kJson:
      return AppendText(column.strings[row], out);
    case Kind::kList:
    case Kind::kMap:
      return AppendElements(column, row, out);
    case Kind::kStruct:
      for (const std::shared_ptr<Column>& child : column.children) AppendNested(*child, row, out);
      return;
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      return;
  }
}

// ---- whole columns: sizes first, then each row's bytes behind those of the columns before ----

class ColumnPart {
 public:
  explicit ColumnPart(const Column& column) : column_(column), nullable_(column.type().nullable()) {
    if (!IsNested(column.kind())) return;
    nested_ends_.reserve(column.size());
    for (size_t row = 0; row < column.size(); ++row) {
      AppendNested(column, row, &nested_);
      nested_ends_.push_back(nested_.size());
    }
  }

  void AddSizes(std::vector<size_t>* sizes) const {
    if (IsNested(column_.kind())) {
      for (size_t row = 0; row < sizes->size(); ++row) (*sizes)[row] += NestedBytes(row).size();
    } else if (column_.type().is_binary()) {
      AddEach(sizes, [this](size_t row) { return EscapedSize(column_.strings[row]); });
    } else {
      const size_t size = column_.kind() == Kind::kBool ? 1 : 8;
      AddEach(sizes, [size](size_t) { return size; });
    }
  }

  void Write(std::vector<char*>* cursors) const {
    switch (column_.kind()) {
      case Kind::kBool:
        return WriteEach(cursors, [this](size_t row, char* to) {
          *to = static_cast<char>(column_.bools[row]);
          return to + 1;
        });
      case Kind::kInt:
      case Kind::kTimestamp:
      case Kind::kDuration:
        return WriteEach(cursors, [this](size_t row, char* to) {
          return key_format::PutBigEndian(key_format::OrderedInt(column_.ints[row]), to);
        });
      case Kind::kUint:
        return WriteEach(cursors, [this](size_t row, char* to) {
          return key_format::PutBigEndian(column_.uints[row], to);
        });
      case Kind::kDouble:
        return WriteEach(cursors, [this](size_t row, char* to) {
          return key_format::PutBigEndian(key_format::OrderedDouble(column_.doubles[row]), to);
        });
      case Kind::kString:
      case Kind::kBytes:
      case Kind::kJson:
        return WriteEach(
            cursors, [this](size_t row, char* to) { return PutEscaped(column_.strings[row], to); });
      case Kind::kList:
      case Kind::kMap:
      case Kind::kStruct:
        for (size_t row = 0; row < cursors->size(); ++row) {
          const std::string_view bytes = NestedBytes(row);
          (*cursors)[row] = std::copy(bytes.begin(), bytes.end(), (*cursors)[row]);
        }
        return;
      case Kind::kNull:
      case Kind::kDyn:
      case Kind::kOptional:
      case Kind::kTypeType:
      case Kind::kTypeParam:
        return;
    }
  }

 private:
  template <typename SizeOf>
  void AddEach(std::vector<size_t>* sizes, SizeOf size_of) const {
    for (size_t row = 0; row < sizes->size(); ++row) {
      const bool null = nullable_ && column_.IsNull(row);
      (*sizes)[row] += (nullable_ ? 1 : 0) + (null ? 0 : size_of(row));
    }
  }

  template <typename Put>
  void WriteEach(std::vector<char*>* cursors, Put put) const {
    for (size_t row = 0; row < cursors->size(); ++row) {
      char* to = (*cursors)[row];
      const bool null = nullable_ && column_.IsNull(row);
      if (nullable_) *to++ = null ? '\x00' : '\x01';
      (*cursors)[row] = null ? to : put(row, to);
    }
  }

  std::string_view NestedBytes(size_t row) const {
    const size_t begin = row == 0 ? 0 : nested_ends_[row - 1];
    return std::string_view(nested_).substr(begin, nested_ends_[row] - begin);
  }

  const Column& column_;
  const bool nullable_;
  std::string nested_;
  std::vector<size_t> nested_ends_;
};

void EncodeInts(const std::vector<int64_t>& values, Arena* arena,
                std::vector<std::string_view>* keys) {
  char* target = arena->Allocate(values.size() * 8);
  keys->resize(values.size());
  for (size_t i = 0; i < values.size(); ++i, target += 8) {
    key_format::PutBigEndian(key_format::OrderedInt(values[i]), target);
    (*keys)[i] = {target, 8};
  }
}

}  // namespace

void KeyEncoder::Encode(const RecordBatch& batch, Arena* arena,
                        std::vector<std::string_view>* keys) const {
  if (columns_.size() == 1) {
    const Column& only = batch.column(static_cast<size_t>(columns_[0]));
    if (key_format::IsBareText(only.type()))
      return keys->assign(only.strings.begin(), only.strings.end());
    if (only.type().is_int64() && !only.type().nullable())
      return EncodeInts(only.ints, arena, keys);
  }
  std::vector<ColumnPart> parts;
  parts.reserve(columns_.size());
  std::vector<size_t> sizes(batch.num_rows(), 0);
  for (const int index : columns_) {
    parts.emplace_back(batch.column(static_cast<size_t>(index)));
    parts.back().AddSizes(&sizes);
  }
  char* next = arena->Allocate(std::accumulate(sizes.begin(), sizes.end(), size_t{0}));
  std::vector<char*> cursors(sizes.size());
  keys->resize(sizes.size());
  for (size_t row = 0; row < sizes.size(); ++row) {
    cursors[row] = next;
    (*keys)[row] = {next, sizes[row]};
    next += sizes[row];
  }
  for (const ColumnPart& part : parts) part.Write(&cursors);
}

}  // namespace millrace::worker
