#define XXH_INLINE_ALL
#include <xxhash.h>

#include "worker/data/record_batch.h"

namespace millrace::worker {

uint64_t HashKey(std::string_view key) { return XXH3_64bits(key.data(), key.size()); }

void HashKeys(std::span<const std::string_view> keys, std::vector<uint64_t>* hashes) {
  hashes->resize(keys.size());
  uint64_t* target = hashes->data();
  for (const std::string_view key : keys) *target++ = XXH3_64bits(key.data(), key.size());
}

}  // namespace millrace::worker
