#include <algorithm>

#include "worker/expr/value_access.h"

namespace millrace::worker {
namespace {

std::partial_ordering CompareIntDouble(double a, double b) { return a <=> b; }

// Numbers compare by value; beside a double both are compared as doubles, as the reference
// implementations do.
std::partial_ordering CompareNumbers(const Value& a, const Value& b) {
  const auto real = [](const Value& v) {
    if (v.is_double()) return v.real();
    return v.is_int() ? static_cast<double>(v.integer())
                      : static_cast<double>(v.unsigned_integer());
  };
  if (a.is_double() || b.is_double()) return CompareIntDouble(real(a), real(b));
  if (a.is_int() && b.is_int()) return a.integer() <=> b.integer();
  if (a.is_uint() && b.is_uint()) return a.unsigned_integer() <=> b.unsigned_integer();
  if (a.is_int()) {
    if (a.integer() < 0) return std::partial_ordering::less;
    return static_cast<uint64_t>(a.integer()) <=> b.unsigned_integer();
  }
  if (b.integer() < 0) return std::partial_ordering::greater;
  return a.unsigned_integer() <=> static_cast<uint64_t>(b.integer());
}

bool ListsEqual(ValueArena* arena, const Value& a, const Value& b) {
  const ListView left(arena, a);
  const ListView right(arena, b);
  if (left.size() != right.size()) return false;
  for (size_t i = 0; i < left.size(); ++i) {
    if (!ValuesEqual(arena, left[i], right[i])) return false;
  }
  return true;
}

bool MapsEqual(ValueArena* arena, const Value& a, const Value& b) {
  const MapData& left = MapOf(arena, a);
  if (left.size != MapSize(arena, b)) return false;
  return std::ranges::all_of(left.all(), [&](const MapEntry& entry) {
    Value other;
    return FindKey(arena, b, entry.key, &other) && ValuesEqual(arena, entry.value, other);
  });
}

bool OptionalsEqual(ValueArena* arena, const Value& a, const Value& b) {
  const Value* left = a.optional_value();
  const Value* right = b.optional_value();
  if (left == nullptr || right == nullptr) return left == right;
  return ValuesEqual(arena, *left, *right);
}

}  // namespace

bool ValuesEqual(ValueArena* arena, const Value& a, const Value& b) {
  if (a.is_number() && b.is_number())
    return CompareNumbers(a, b) == std::partial_ordering::equivalent;
  if ((a.is_map() || a.is_struct()) && (b.is_map() || b.is_struct())) return MapsEqual(arena, a, b);
  if (a.kind() != b.kind()) return false;
  switch (a.kind()) {
    case ValueKind::kNull:
      return true;
    case ValueKind::kBool:
      return a.boolean() == b.boolean();
    case ValueKind::kString:
    case ValueKind::kBytes:
    case ValueKind::kType:
      return a.text() == b.text();
    case ValueKind::kTimestamp:
    case ValueKind::kDuration:
      return a.seconds() == b.seconds() && a.nanos() == b.nanos();
    case ValueKind::kList:
      return ListsEqual(arena, a, b);
    case ValueKind::kOptional:
      return OptionalsEqual(arena, a, b);
    case ValueKind::kInt:
    case ValueKind::kUint:
    case ValueKind::kDouble:
    case ValueKind::kMap:
    case ValueKind::kStruct:
    case ValueKind::kError:
      return false;
  }
  return false;
}

std::optional<std::partial_ordering> CompareValues(const Value& a, const Value& b) {
  if (a.is_number() && b.is_number()) return CompareNumbers(a, b);
  if (a.kind() != b.kind()) return std::nullopt;
  if (a.is_bool()) return a.boolean() <=> b.boolean();
  if (a.is_string() || a.is_bytes()) return a.text() <=> b.text();
  if (!a.is_timestamp() && !a.is_duration()) return std::nullopt;
  if (a.seconds() != b.seconds()) return a.seconds() <=> b.seconds();
  return a.nanos() <=> b.nanos();
}

}  // namespace millrace::worker
