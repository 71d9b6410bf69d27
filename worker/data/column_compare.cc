#include <algorithm>
#include <cmath>
#include <numeric>

#include "worker/data/column.h"

namespace millrace::worker {
namespace {

template <typename T>
int Compare(T a, T b) {
  return a < b ? -1 : (b < a ? 1 : 0);
}

int CompareDoubles(double a, double b) {
  if (std::isnan(a) || std::isnan(b)) return Compare(std::isnan(a), std::isnan(b));
  return Compare(a, b);
}

int CompareLists(const Column& a, size_t row_a, const Column& b, size_t row_b) {
  const size_t size_a = a.list_end(row_a) - a.list_begin(row_a);
  const size_t size_b = b.list_end(row_b) - b.list_begin(row_b);
  for (size_t i = 0; i < std::min(size_a, size_b); ++i) {
    const int order = CompareRows(*a.children[0], a.list_begin(row_a) + i, *b.children[0],
                                  b.list_begin(row_b) + i);
    if (order != 0) return order;
  }
  return Compare(size_a, size_b);
}

std::vector<size_t> EntriesByKey(const Column& map, size_t row) {
  std::vector<size_t> entries(map.list_end(row) - map.list_begin(row));
  std::iota(entries.begin(), entries.end(), map.list_begin(row));
  const Column& keys = *map.children[0];
  std::sort(entries.begin(), entries.end(),
            [&](size_t x, size_t y) { return CompareRows(keys, x, keys, y) < 0; });
  return entries;
}

// Maps compare as lists of their entries in key order.
int CompareMaps(const Column& a, size_t row_a, const Column& b, size_t row_b) {
  const std::vector<size_t> entries_a = EntriesByKey(a, row_a);
  const std::vector<size_t> entries_b = EntriesByKey(b, row_b);
  for (size_t i = 0; i < std::min(entries_a.size(), entries_b.size()); ++i) {
    for (size_t part = 0; part < 2; ++part) {
      const int order =
          CompareRows(*a.children[part], entries_a[i], *b.children[part], entries_b[i]);
      if (order != 0) return order;
    }
  }
  return Compare(entries_a.size(), entries_b.size());
}

int CompareStructs(const Column& a, size_t row_a, const Column& b, size_t row_b) {
  for (size_t i = 0; i < a.children.size(); ++i) {
    const int order = CompareRows(*a.children[i], row_a, *b.children[i], row_b);
    if (order != 0) return order;
  }
  return 0;
}

}  // namespace

int CompareRows(const Column& a, size_t row_a, const Column& b, size_t row_b) {
  const bool null_a = a.IsNull(row_a);
  const bool null_b = b.IsNull(row_b);
  if (null_a || null_b) return Compare(null_b, null_a);
  switch (a.kind()) {
    case Kind::kBool:
      return Compare(a.bools[row_a], b.bools[row_b]);
    case Kind::kInt:
    case Kind::kTimestamp:
    case Kind::kDuration:
      return Compare(a.ints[row_a], b.ints[row_b]);
    case Kind::kUint:
      return Compare(a.uints[row_a], b.uints[row_b]);
    case Kind::kDouble:
      return CompareDoubles(a.doubles[row_a], b.doubles[row_b]);
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kJson:
      return Compare(a.strings[row_a].compare(b.strings[row_b]), 0);
    case Kind::kList:
      return CompareLists(a, row_a, b, row_b);
    case Kind::kMap:
      return CompareMaps(a, row_a, b, row_b);
    case Kind::kStruct:
      return CompareStructs(a, row_a, b, row_b);
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      return 0;
  }
  return 0;
}

}  // namespace millrace::worker
