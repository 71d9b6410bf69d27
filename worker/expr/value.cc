#include "worker/expr/value.h"

#include <algorithm>

namespace millrace::worker {

void ValueArena::Grow(size_t bytes) {
  const size_t size = std::max(bytes, kBlockBytes);
  blocks_.push_back({std::make_unique_for_overwrite<char[]>(size), size});
  block_bytes_ += size;
  next_ = blocks_.back().bytes.get();
  left_ = size;
}

void ValueArena::Reset() {
  if (blocks_.empty()) return;
  blocks_.resize(1);
  block_bytes_ = blocks_[0].size;
  next_ = blocks_[0].bytes.get();
  left_ = blocks_[0].size;
}

std::string_view TypeNameOf(const Value& value) {
  switch (value.kind()) {
    case ValueKind::kNull:
      return "null_type";
    case ValueKind::kBool:
      return "bool";
    case ValueKind::kInt:
      return "int";
    case ValueKind::kUint:
      return "uint";
    case ValueKind::kDouble:
      return "double";
    case ValueKind::kString:
      return "string";
    case ValueKind::kBytes:
      return "bytes";
    case ValueKind::kTimestamp:
      return "google.protobuf.Timestamp";
    case ValueKind::kDuration:
      return "google.protobuf.Duration";
    case ValueKind::kList:
      return "list";
    case ValueKind::kMap:
      return "map";
    case ValueKind::kStruct:
      return "struct";
    case ValueKind::kType:
      return "type";
    case ValueKind::kOptional:
      return "optional_type";
    case ValueKind::kError:
      return "error";
  }
  return "error";
}

}  // namespace millrace::worker
