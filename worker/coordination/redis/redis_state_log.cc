#include "worker/coordination/redis/redis_state_log.h"

#include <algorithm>
#include <initializer_list>
#include <utility>

#include "crds/base/failpoint.h"
#include "worker/coordination/blob_index.h"
#include "worker/coordination/redis/blob_chain.h"
#include "worker/coordination/redis/redis_job_store.h"

namespace millrace::worker {
namespace {

// Values of this size keep single commands short on a busy server.
constexpr size_t kMaxPartBytes = 16 << 20;

}  // namespace

RedisStateLog::RedisStateLog(std::unique_ptr<RedisClient> client, Options options, Clock* clock)
    : client_(std::move(client)), options_(std::move(options)), clock_(clock) {}

std::string RedisStateLog::GroupKeyOf(const std::string& stage, int unit) const {
  return GroupKey(options_.ns, options_.job, options_.job_id, options_.group_of(stage, unit));
}

Status RedisStateLog::Recover(std::string generation, int64_t committed, Heads heads,
                              const std::stop_token& stop, const Heads& guests) {
  generation_ = std::move(generation);
  heads_ = std::move(heads);
  chains_.clear();
  loaded_.clear();
  staged_.clear();
  doomed_.clear();
  loaded_bytes_ = 0;
  std::map<HeadKey, BlobName> wanted;
  for (const Heads* some : std::initializer_list<const Heads*>{&heads_, &guests}) {
    for (const auto& [key, head] : *some) {
      if (head.last.batch > committed)
        return InternalError("StateLost: a report names a blob of batch " +
                             std::to_string(head.last.batch) + ", after the commit");
      wanted[key] = head.last;
    }
  }
  const auto group_key = [this](const HeadKey& key) { return GroupKeyOf(key.first, key.second); };
  ASSIGN_OR_RETURN(BlobChains chains,
                   LoadBlobChains(client_.get(), group_key, std::move(wanted), stop));
  for (auto& [key, chain] : chains) {
    loaded_bytes_ += static_cast<int64_t>(chain.blobs.snapshot.size());
    for (const std::string& delta : chain.blobs.deltas)
      loaded_bytes_ += static_cast<int64_t>(delta.size());
    if (heads_.contains(key)) chains_[key] = std::move(chain.names);
    loaded_[key] = std::move(chain.blobs);
  }
  return FindOrphans(stop);
}

Status RedisStateLog::PutDelta(const std::string& stage, int unit, std::string_view bytes) {
  Stage(stage, unit, false, bytes);
  return OkStatus();
}

Status RedisStateLog::PutSnapshot(const std::string& stage, int unit, std::string_view bytes) {
  Stage(stage, unit, true, bytes);
  return OkStatus();
}

void RedisStateLog::Stage(const std::string& stage, int unit, bool snapshot, std::string_view raw) {
  const HeadKey key{stage, unit};
  const auto head = heads_.find(key);
  std::optional<BlobName> previous;
  if (!snapshot && head != heads_.end()) previous = head->second.last;
  staged_.push_back({key, {snapshot, 0, generation_, 1}, EncodeBlob(previous, raw)});
}

bool RedisStateLog::WantsSnapshot(const std::string& stage, int unit) const {
  const auto head = heads_.find({stage, unit});
  if (head == heads_.end()) return false;
  return head->second.deltas >= static_cast<int>(BlobIndex::kMaxDeltas) ||
         head->second.delta_bytes >
             std::max(BlobIndex::kMinDeltaBytes, head->second.snapshot_bytes);
}

Result<UnitBlobs> RedisStateLog::Load(const std::string& stage, int unit) const {
  const auto blobs = loaded_.find({stage, unit});
  return blobs == loaded_.end() ? UnitBlobs{} : blobs->second;
}

std::vector<std::pair<std::string, int>> RedisStateLog::Units() const {
  std::vector<std::pair<std::string, int>> units;
  for (const auto& [key, head] : heads_) units.push_back(key);
  return units;
}

int64_t RedisStateLog::committed_bytes() const {
  int64_t bytes = 0;
  for (const auto& [key, head] : heads_) bytes += head.delta_bytes + head.snapshot_bytes;
  return bytes;
}

Status RedisStateLog::Flush(int64_t batch, const std::stop_token& stop) {
  std::vector<std::string> texts;  // keeps what the commands' views show
  struct Write {
    size_t index_key, member, value_key;
    std::string_view value;
  };
  std::vector<Write> writes;
  const std::string score = std::to_string(batch);
  for (Staged& staged : staged_) {
    staged.name.batch = batch;
    staged.name.parts = static_cast<int>(
        std::max<size_t>(1, (staged.bytes.size() + kMaxPartBytes - 1) / kMaxPartBytes));
    const std::string group = GroupKeyOf(staged.key.first, staged.key.second);
    for (int part = 0; part < staged.name.parts; ++part) {
      const std::string suffix = BlobSuffix(staged.key.first, staged.name, part);
      texts.push_back(group + ":i");
      texts.push_back(suffix);
      texts.push_back(group + ":" + suffix);
      writes.push_back(
          {texts.size() - 3, texts.size() - 2, texts.size() - 1,
           std::string_view(staged.bytes).substr(part * kMaxPartBytes, kMaxPartBytes)});
    }
  }
  std::vector<RedisCommand> commands;
  for (const Write& write : writes) {
    commands.push_back(
        {texts[write.index_key], {"ZADD", texts[write.index_key], score, texts[write.member]}});
    commands.push_back({texts[write.value_key], {"SET", texts[write.value_key], write.value}});
  }
  if (!commands.empty()) {
    Failpoint("blobs.before");
    ASSIGN_OR_RETURN(const std::vector<RedisReply> replies, client_->Pipeline(commands, stop));
    for (const RedisReply& reply : replies) RETURN_IF_ERROR(reply.status());
    Failpoint("blobs.after");
  }
  flushed_ = {};
  for (Staged& staged : staged_) {
    const auto size = static_cast<int64_t>(staged.bytes.size());
    BlobHead& head = heads_[staged.key];
    if (staged.name.snapshot) {
      Doom(staged.key, batch);
      ++flushed_.snapshots;
      flushed_.snapshot_bytes += size;
      head = {staged.name, 0, 0, size};
      chains_[staged.key].clear();
    } else {
      ++flushed_.deltas;
      flushed_.delta_bytes += size;
      head.last = staged.name;
      ++head.deltas;
      head.delta_bytes += size;
    }
    chains_[staged.key].push_back(staged.name);
  }
  staged_.clear();
  return OkStatus();
}

// What the chain of a unit held is garbage once the snapshot that replaces it is committed.
void RedisStateLog::Doom(const HeadKey& key, int64_t after_batch) {
  const std::string group = GroupKeyOf(key.first, key.second);
  for (const BlobName& name : chains_[key]) {
    for (int part = 0; part < name.parts; ++part) {
      std::string suffix = BlobSuffix(key.first, name, part);
      doomed_.push_back({group + ":" + suffix, group + ":i", std::move(suffix), after_batch,
                         clock_->Monotonic()});
    }
  }
}

// Names in the groups' indexes that no chain reaches: left by failed attempts, or by snapshots
// whose garbage nobody swept.
Status RedisStateLog::FindOrphans(const std::stop_token& stop) {
  std::map<std::string, std::set<std::string>> reached;  // index key -> members
  for (const auto& [key, chain] : chains_) {
    const std::string group = GroupKeyOf(key.first, key.second);
    for (const BlobName& name : chain) {
      for (int part = 0; part < name.parts; ++part)
        reached[group + ":i"].insert(BlobSuffix(key.first, name, part));
    }
  }
  std::vector<RedisCommand> commands;
  for (const auto& [index, members] : reached)
    commands.push_back({index, {"ZRANGE", index, "0", "-1"}});
  if (commands.empty()) return OkStatus();
  ASSIGN_OR_RETURN(const std::vector<RedisReply> replies, client_->Pipeline(commands, stop));
  size_t i = 0;
  const MonotonicTime now = clock_->Monotonic();
  for (const auto& [index, members] : reached) {
    RETURN_IF_ERROR(replies[i].status());
    for (const RedisReply& item : replies[i++].items) {
      if (members.contains(item.text)) continue;
      doomed_.push_back({index.substr(0, index.size() - 1) + item.text, index, item.text, 0, now});
    }
  }
  return OkStatus();
}

Result<int64_t> RedisStateLog::Sweep(int64_t committed, MonotonicTime now, int64_t limit,
                                     const std::stop_token& stop) {
  std::vector<RedisCommand> commands;
  size_t count = 0;
  while (count < doomed_.size() && static_cast<int64_t>(count) < limit) {
    const Doomed& doomed = doomed_[count];
    if (doomed.after_batch > committed || now - doomed.since < options_.garbage_delay) break;
    commands.push_back({doomed.key, {"UNLINK", doomed.key}});
    commands.push_back({doomed.index, {"ZREM", doomed.index, doomed.member}});
    ++count;
  }
  if (count == 0) return int64_t{0};
  ASSIGN_OR_RETURN(const std::vector<RedisReply> replies, client_->Pipeline(commands, stop));
  for (const RedisReply& reply : replies) RETURN_IF_ERROR(reply.status());
  doomed_.erase(doomed_.begin(), doomed_.begin() + static_cast<int64_t>(count));
  return static_cast<int64_t>(count);
}

}  // namespace millrace::worker
