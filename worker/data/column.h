#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "worker/data/arena.h"
#include "worker/data/type.h"

namespace millrace::worker {

class Column;
using ColumnRef = std::shared_ptr<const Column>;
using Owner = std::shared_ptr<const void>;  // keeps bytes alive that string views point into

// One column of a batch: a typed run of values with optional nulls. Built once, then shared
// read-only between batches and threads (hold it by ColumnRef). Physical form by kind:
//   bool                      bools    uint8_t, 0 or 1
//   int timestamp duration    ints     int64_t
//   uint                      uints    uint64_t
//   double                    doubles  double
//   string bytes json         strings  string_view into memory that `owners` keep alive
//   list                      offsets (size+1, first is 0) and children[0]
//   map                       offsets and children[0] keys, children[1] values; keys unique within
//   a row struct                    children, one per field, each of the column's size
// `valid` is empty when no value is null, else one byte per row (1 = present). The physical value
// at a null row is zero/empty (children of a null struct row hold their own zero or null) and must
// not be interpreted. Members are public because kernels work on them directly; invariants above
// hold whenever a column is shared.
class Column {
 public:
  explicit Column(Type type);

  const Type& type() const { return type_; }
  Kind kind() const { return type_.kind(); }
  size_t size() const { return size_; }
  void set_size(size_t size) { size_ = size; }  // for builders that filled the vectors themselves
  // Same physical values under another type (json/bytes/string, or nullability).
  void set_type(Type type) { type_ = std::move(type); }

  bool IsNull(size_t row) const { return !valid.empty() && valid[row] == 0; }
  bool has_nulls() const { return !valid.empty(); }
  size_t list_begin(size_t row) const { return offsets[row]; }
  size_t list_end(size_t row) const { return offsets[row + 1]; }

  void Reserve(size_t rows);
  void AppendNull();
  void AppendBool(bool value);
  void AppendInt(int64_t value);
  void AppendUint(uint64_t value);
  void AppendDouble(double value);
  // Does not copy: the bytes must live as long as one of `owners`.
  void AppendView(std::string_view value);
  // Ends a list or map row whose elements were appended to the children.
  void FinishList();
  // Ends a struct row whose members were appended to the children.
  void FinishStruct();
  // Appends row `row` of `other`, which has the same physical type. Views are shared: copies
  // other's owners once.
  void AppendFrom(const Column& other, size_t row);
  // Appends rows[i] of `other` for all i. The fast path for filters and regrouping.
  void AppendGather(const Column& other, std::span<const uint32_t> rows);
  void AppendAll(const Column& other);
  // Appends rows [begin, end) of `other`.
  void AppendRange(const Column& other, size_t begin, size_t end);
  // Appends null to a nullable column, else the zero of its kind: the members of a null struct row.
  void AppendMissing();
  // Keeps `owner` alive as long as this column; duplicates of the last owners are ignored.
  void AddOwner(Owner owner);
  void AddOwnersOf(const Column& other);
  // Bytes of values, for metrics and limits (string bytes included).
  size_t ByteSize() const;

  std::vector<uint8_t> valid;
  std::vector<uint8_t> bools;
  std::vector<int64_t> ints;
  std::vector<uint64_t> uints;
  std::vector<double> doubles;
  std::vector<std::string_view> strings;
  std::vector<uint32_t> offsets;
  std::vector<std::shared_ptr<Column>> children;  // shared only once the parent is shared
  std::vector<Owner> owners;

 private:
  void MarkValid();
  void AppendZero();
  void GatherValues(const Column& other, std::span<const uint32_t> rows);
  void GatherElements(const Column& other, std::span<const uint32_t> rows);
  void AppendRangeValues(const Column& other, size_t begin, size_t end);

  Type type_;
  size_t size_ = 0;
};

// A column of `size` copies of row `row` of `value`.
ColumnRef RepeatRow(const Column& value, size_t row, size_t size);
ColumnRef Gather(const Column& column, std::span<const uint32_t> rows);
// Compares values of one type: null < everything; doubles by IEEE with NaN last; lists and structs
// lexicographic.
int CompareRows(const Column& a, size_t row_a, const Column& b, size_t row_b);
// A copy whose strings all live in one arena of its own: for state that outlives the batch.
ColumnRef DeepCopy(const Column& column);

}  // namespace millrace::worker
