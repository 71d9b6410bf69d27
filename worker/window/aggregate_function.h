#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "crds/base/status.h"
#include "worker/data/type.h"

namespace millrace::worker {

enum class AggregateKind : uint8_t {
  kCount,
  kSum,
  kAvg,
  kVariance,
  kStddev,
  kMin,
  kMax,
  kFirst,
  kLast,
  kArgMin,
  kArgMax,
  kCountDistinct,
  kApproxCountDistinct,
  kQuantile,
  kCollect,
  kCollectSet,
  kCounts,
  kTopK,
};

// Values that collect and collectSet hold per key and window.
inline constexpr size_t kMaxCollected = 10'000;
// Distinct values that countDistinct, counts and topK hold per key and window.
inline constexpr size_t kMaxDistinct = 1'000'000;
inline constexpr int64_t kMaxTopK = 10'000;

// A type-checked aggregate call: what it takes, gives and keeps. A value.
struct AggregateFunction {
  AggregateKind kind = AggregateKind::kCount;
  Type argument;  // of x; kNull for count()
  Type by;        // argMin, argMax
  double q = 0;   // quantile
  int64_t k = 0;  // topK
  Type result;
  std::vector<Type> partials;
  bool invertible = false;  // contributions can be taken out again
  bool exact = false;       // and leave no trace: integer arithmetic only
  bool ordered = false;     // depends on the order of records
};

// What the step says about one call beside its name.
struct AggregateContext {
  bool has_filter = false;
  bool keyless = false;  // groups may be empty
};

// All names, without their If forms; also those that are not supported yet, so that they are told
// from unknown ones.
std::span<const std::string_view> AggregateNames();

// How many arguments of a call are expressions; the rest are literals (q of quantile, k of topK).
size_t ExpressionArguments(std::string_view name);

// `types`: of the expression arguments; `literals`: texts of the others. Errors say what was found
// and expected.
Result<AggregateFunction> ResolveAggregate(std::string_view name, const AggregateContext& context,
                                           std::span<const Type> types,
                                           std::span<const std::string> literals);

}  // namespace millrace::worker
