#define XXH_INLINE_ALL
#include <xxhash.h>

#include "worker/data/key_format.h"
#include "worker/expr/kernel_node.h"

namespace millrace::worker {
namespace {

// hash() hashes what KeyEncoder writes for the value and clears the sign.
int64_t HashBytes(const void* bytes, size_t size) {
  return static_cast<int64_t>(XXH3_64bits(bytes, size) & static_cast<uint64_t>(INT64_MAX));
}

int64_t HashOrdered(uint64_t ordered) {
  char bytes[8];
  key_format::PutBigEndian(ordered, bytes);
  return HashBytes(bytes, sizeof bytes);
}

template <typename T, typename Hash>
StrictBody HashBody(Hash hash) {
  return [hash](const StrictCall& call, Column* out) {
    out->ints.resize(call.rows);
    UnaryLoop(call.rows, ValuesOf<T>(*call[0].column), call[0].constant, out->ints.data(), hash);
  };
}

StrictBody BodyOf(Kind kind) {
  if (kind == Kind::kInt || kind == Kind::kTimestamp || kind == Kind::kDuration) {
    return HashBody<int64_t>(
        [](int64_t value) { return HashOrdered(key_format::OrderedInt(value)); });
  }
  if (kind == Kind::kUint) return HashBody<uint64_t>(HashOrdered);
  if (kind == Kind::kDouble) {
    return HashBody<double>(
        [](double value) { return HashOrdered(key_format::OrderedDouble(value)); });
  }
  if (kind == Kind::kBool)
    return HashBody<uint8_t>([](uint8_t value) { return HashBytes(&value, 1); });
  if (kind != Kind::kString && kind != Kind::kBytes) return nullptr;
  return HashBody<std::string_view>(
      [](std::string_view value) { return HashBytes(value.data(), value.size()); });
}

}  // namespace

KernelNodePtr MakeHashCall(const Expr& call, Nodes* args) {
  if (call.name != "hash" || args->size() != 1) return nullptr;
  StrictBody body = BodyOf((*args)[0]->kind());
  return body == nullptr ? nullptr : MakeStrict(call.type, std::move(*args), std::move(body));
}

}  // namespace millrace::worker
