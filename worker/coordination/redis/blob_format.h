#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "crds/base/status.h"

namespace millrace::worker {

// Names one stored blob of a (stage, unit): deltas and snapshots are told apart by `snapshot`;
// (batch, generation) never repeats.
struct BlobName {
  bool snapshot = false;
  int64_t batch = 0;
  std::string generation;
  int parts = 1;
  bool operator==(const BlobName&) const = default;
};

// A (stage, unit)'s last blob, and how much hangs on it: what reports carry.
struct BlobHead {
  BlobName last;
  int deltas = 0;              // behind the snapshot
  int64_t delta_bytes = 0;     // of these, as stored
  int64_t snapshot_bytes = 0;  // as stored, 0 for none
};
using HeadKey = std::pair<std::string, int>;  // stage, unit
using Heads = std::map<HeadKey, BlobHead>;

// Report of one slot (protocol section 2, J:prepared), version 1: see blob_format.cc.
std::string EncodeHeads(const Heads& heads);
// Adds to `heads`. kInternal "StateLost: ..." for damage.
Status DecodeHeads(std::string_view bytes, Heads* heads);

// A blob as stored, before it is cut into parts:
//   version:u8 flags:u8 (1: zstd) has_previous:u8 previous:name raw_bytes:varint check:u64 payload
// check = XXH3-64 of the payload as stored. Compressed when that saves an eighth.
std::string EncodeBlob(const std::optional<BlobName>& previous, std::string_view raw);
struct DecodedBlob {
  std::optional<BlobName> previous;  // none for a snapshot or the first delta
  std::string raw;
};
// kInternal "StateLost: ..." for damage.
Result<DecodedBlob> DecodeBlob(std::string_view bytes);

// "d:<stage>:<batch>:<G>:<part>", or "s:..." for a snapshot: what follows the group's key.
std::string BlobSuffix(const std::string& stage, const BlobName& name, int part);

}  // namespace millrace::worker
