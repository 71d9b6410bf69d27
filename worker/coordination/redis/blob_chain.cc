#include "worker/coordination/redis/blob_chain.h"

#include <algorithm>
#include <utility>

namespace millrace::worker {
namespace {

using GroupKeyOf = std::function<std::string(const HeadKey&)>;

// Replaces every name in `wanted` by the one before it; what has none is dropped.
Status LoadRound(RedisClient* client, const GroupKeyOf& group_key,
                 std::map<HeadKey, BlobName>* wanted, BlobChains* chains,
                 const std::stop_token& stop) {
  std::vector<std::string> keys;
  for (const auto& [key, name] : *wanted) {
    for (int part = 0; part < name.parts; ++part)
      keys.push_back(group_key(key) + ":" + BlobSuffix(key.first, name, part));
  }
  std::vector<RedisCommand> commands;
  for (const std::string& key : keys) commands.push_back({key, {"GET", key}});
  ASSIGN_OR_RETURN(std::vector<RedisReply> replies, client->Pipeline(commands, stop));
  size_t reply = 0;
  std::map<HeadKey, BlobName> next;
  for (const auto& [key, name] : *wanted) {
    std::string bytes;
    for (int part = 0; part < name.parts; ++part, ++reply) {
      if (replies[reply].nil())
        return InternalError("StateLost: blob " + keys[reply] + " is missing from the state store");
      ASSIGN_OR_RETURN(std::string text, replies[reply].AsText());
      bytes += text;
    }
    Result<DecodedBlob> blob = DecodeBlob(bytes);
    if (!blob.ok()) return blob.status().WithContext(keys[reply - 1]);
    BlobChain& chain = (*chains)[key];
    chain.names.push_back(name);
    if (name.snapshot)
      chain.blobs.snapshot = std::move(blob->raw);
    else
      chain.blobs.deltas.push_back(std::move(blob->raw));
    if (blob->previous) next[key] = *blob->previous;
  }
  *wanted = std::move(next);
  return OkStatus();
}

}  // namespace

Result<BlobChains> LoadBlobChains(RedisClient* client, const GroupKeyOf& group_key,
                                  std::map<HeadKey, BlobName> heads, const std::stop_token& stop) {
  BlobChains chains;
  while (!heads.empty()) RETURN_IF_ERROR(LoadRound(client, group_key, &heads, &chains, stop));
  for (auto& [key, chain] : chains) {
    std::reverse(chain.blobs.deltas.begin(), chain.blobs.deltas.end());
    std::reverse(chain.names.begin(), chain.names.end());
  }
  return chains;
}

}  // namespace millrace::worker
