#include "worker/source/push_log_format.h"

#include <xxhash.h>

#include <cstdio>

#include "crds/base/wire.h"

namespace millrace::worker::push_log {

ChainDigest Chain(ChainDigest before, std::string_view payload) {
  XXH3_state_t* state = XXH3_createState();
  XXH3_128bits_reset(state);
  XXH3_128bits_update(state, &before.high, sizeof before.high);
  XXH3_128bits_update(state, &before.low, sizeof before.low);
  XXH3_128bits_update(state, payload.data(), payload.size());
  const XXH128_hash_t hash = XXH3_128bits_digest(state);
  XXH3_freeState(state);
  return {hash.high64, hash.low64};
}

uint32_t Checksum(uint32_t bytes, uint32_t records, std::string_view payload) {
  return static_cast<uint32_t>(
      XXH3_64bits_withSeed(payload.data(), payload.size(), (uint64_t{bytes} << 32) | records));
}

std::string Hex(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(value));
  return text;
}

void AppendRecord(std::string_view record, std::string* out) {
  WireWriter writer(out);
  writer.U32(static_cast<uint32_t>(record.size()));
  out->append(record);
}

}  // namespace millrace::worker::push_log
