#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "worker/data/column.h"

namespace millrace::worker {

// Bytes of one value of any storable type, for values that are kept one by one. In memory only,
// never stored.
void AppendCell(const Column& column, size_t row, std::string* out);
// Appends the value at the front of `bytes` to `out` and drops it from `bytes`; string bytes are
// copied to `arena`. Requires: bytes from AppendCell over a column of the same type.
void ReadCell(std::string_view* bytes, Arena* arena, Column* out);

// Keeps `owner` alive with `column` and all columns inside it.
void AddOwnerDeep(const Owner& owner, Column* column);

// One replaceable value per row, all of one type. Thread-compatible.
class ValueStore {
 public:
  explicit ValueStore(Type type);

  void Resize(size_t rows);
  void Set(uint32_t row, const Column& column, size_t i);
  // Order of the value in `row` against value i of `column`; doubles with NaN last. Requires: a
  // scalar type.
  int Compare(uint32_t row, const Column& column, size_t i) const;
  // Appends the values of `rows`, null where present[row] is 0.
  void Append(std::span<const uint32_t> rows, const std::vector<uint8_t>& present,
              Column* out) const;
  void Clear(uint32_t row);
  size_t ByteSize() const;

 private:
  enum class Form : uint8_t { kBool, kInt, kUint, kDouble, kBinary, kCell };

  Form form_;
  std::vector<int64_t> ints_;  // bools too
  std::vector<uint64_t> uints_;
  std::vector<double> doubles_;
  std::vector<std::string> strings_;  // binary values and cells
};

}  // namespace millrace::worker
