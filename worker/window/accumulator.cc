#include "worker/window/accumulator.h"

namespace millrace::worker {

Status Accumulator::Subtract(std::span<const uint32_t>, std::span<const ColumnRef>, size_t) {
  return InternalError("this aggregate has no inverse");
}

std::unique_ptr<Accumulator> MakeAccumulator(const AggregateFunction& function) {
  switch (function.kind) {
    case AggregateKind::kCount:
    case AggregateKind::kSum:
    case AggregateKind::kAvg:
    case AggregateKind::kVariance:
    case AggregateKind::kStddev:
      return MakeNumericAccumulator(function);
    case AggregateKind::kMin:
    case AggregateKind::kMax:
    case AggregateKind::kFirst:
    case AggregateKind::kLast:
    case AggregateKind::kArgMin:
    case AggregateKind::kArgMax:
      return MakeValueAccumulator(function);
    case AggregateKind::kCountDistinct:
    case AggregateKind::kCollectSet:
    case AggregateKind::kCounts:
    case AggregateKind::kTopK:
      return MakeSetAccumulator(function);
    case AggregateKind::kApproxCountDistinct:
    case AggregateKind::kQuantile:
      return MakeSketchAccumulator(function);
    case AggregateKind::kCollect:
      return MakeCollectAccumulator(function);
  }
  return nullptr;
}

}  // namespace millrace::worker
