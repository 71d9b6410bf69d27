#pragma once

#include <functional>
#include <map>
#include <stop_token>
#include <string>
#include <vector>

#include "worker/client/redis/redis.h"
#include "worker/coordination/redis/blob_format.h"
#include "worker/state/state_log.h"

namespace millrace::worker {

// What the head of a (stage, unit) reaches: its blobs, and their names, oldest first.
struct BlobChain {
  UnitBlobs blobs;
  std::vector<BlobName> names;
};
using BlobChains = std::map<HeadKey, BlobChain>;

// Follows the chains from `heads` to their snapshots, all at once: as many round trips as the
// longest has blobs. `group_key` names the Redis key of a unit's key group. Errors: of the client;
// kInternal "StateLost: ..." for a blob that is missing or damaged.
Result<BlobChains> LoadBlobChains(RedisClient* client,
                                  const std::function<std::string(const HeadKey&)>& group_key,
                                  std::map<HeadKey, BlobName> heads, const std::stop_token& stop);

}  // namespace millrace::worker
