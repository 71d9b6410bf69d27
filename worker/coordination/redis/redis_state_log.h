#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "worker/client/redis/redis.h"
#include "worker/coordination/redis/blob_format.h"
#include "worker/state/state_log.h"

namespace millrace::worker {

// Key group of a (stage, unit): where its blobs are kept.
using GroupOfUnit = std::function<int(const std::string& stage, int unit)>;

// What was written of a batch; bytes as stored.
struct BlobCounts {
  int64_t deltas = 0;
  int64_t snapshots = 0;
  int64_t delta_bytes = 0;
  int64_t snapshot_bytes = 0;
};

// State of this worker's units in Redis: deltas and snapshots under names that never repeat, so
// that none of it counts before a committed report names it (protocol section 10). Keys: <group
// key>:<BlobSuffix>, and <group key>:i, a sorted set of their names by batch, added before they are
// written. Use, in order: Recover; then for each batch PutDelta/PutSnapshot..., Flush, and Report
// for the slot's report. Blobs of one batch go to each node in one pipeline. Garbage is looked for
// after snapshots and after recovery and deleted by Sweep. Thread-compatible; one owner, who may
// hand it to another thread between calls. Errors: of the client; kInternal "StateLost: ...".
class RedisStateLog final : public StateLog {
 public:
  struct Options {
    std::string ns;
    std::string job;
    std::string job_id;
    GroupOfUnit group_of;
    Duration garbage_delay = std::chrono::seconds(60);  // the rollback that can be survived
  };
  RedisStateLog(std::unique_ptr<RedisClient> client, Options options, Clock* clock);

  // Starts a generation: `heads` of the committed report, for the units this worker owns. Loads
  // their blobs for Load, and those of `guests`: units that others own and report, whose state this
  // worker needs, too.
  Status Recover(std::string generation, int64_t committed, Heads heads,
                 const std::stop_token& stop, const Heads& guests = {});
  // Forgets what Recover loaded: every unit has taken its own.
  void DropLoaded() { loaded_.clear(); }
  // Of the blobs that Recover loaded, decoded.
  int64_t loaded_bytes() const { return loaded_bytes_; }

  Status PutDelta(const std::string& stage, int unit, std::string_view bytes) override;
  Status PutSnapshot(const std::string& stage, int unit, std::string_view bytes) override;
  bool WantsSnapshot(const std::string& stage, int unit) const override;
  Result<UnitBlobs> Load(const std::string& stage, int unit) const override;
  std::vector<std::pair<std::string, int>> Units() const override;
  int64_t committed_bytes() const override;

  // Writes everything put since the last Flush, as blobs of `batch`. Returns when all are
  // acknowledged.
  Status Flush(int64_t batch, const std::stop_token& stop);
  // Heads of all units after the last Flush, encoded.
  std::string Report() const { return EncodeHeads(heads_); }
  // What the last Flush wrote.
  const BlobCounts& flushed() const { return flushed_; }

  // Deletes up to `limit` blobs that nothing has needed for the garbage delay; returns how many.
  // `committed`: the last batch known to be committed and its report.
  Result<int64_t> Sweep(int64_t committed, MonotonicTime now, int64_t limit,
                        const std::stop_token& stop);

 private:
  struct Staged {
    HeadKey key;
    BlobName name;
    std::string bytes;
  };
  struct Doomed {
    std::string key;    // whole
    std::string index;  // its group's sorted set
    std::string member;
    int64_t after_batch;  // garbage once this batch is committed
    MonotonicTime since;
  };
  std::string GroupKeyOf(const std::string& stage, int unit) const;
  void Stage(const std::string& stage, int unit, bool snapshot, std::string_view raw);
  void Doom(const HeadKey& key, int64_t after_batch);
  Status FindOrphans(const std::stop_token& stop);

  std::unique_ptr<RedisClient> client_;
  Options options_;
  Clock* clock_;
  std::string generation_;
  Heads heads_;
  std::map<HeadKey, std::vector<BlobName>> chains_;  // blobs that the head reaches, oldest first
  std::map<HeadKey, UnitBlobs> loaded_;
  std::vector<Staged> staged_;
  std::vector<Doomed> doomed_;
  int64_t loaded_bytes_ = 0;
  BlobCounts flushed_;
};

}  // namespace millrace::worker
