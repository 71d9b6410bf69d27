#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "crds/base/file.h"
#include "worker/coordination/blob_index.h"
#include "worker/coordination/coordinator.h"
#include "worker/coordination/segment.h"

namespace millrace::worker {

// The embedded coordinator (protocol section 14). Files of the directory:
//   lock         held with flock while a process runs the job
//   log-<n>      the one segment that counts (largest n); rewritten into log-<n+1> when more than
//   half of it is garbage
// Record kinds and payloads: see directory_coordinator.cc. After a failed sync every call fails:
// the process must end, and a new one starts from what is durable. Loop thread only.
class DirectoryCoordinator final : public Coordinator, private StateLog {
 public:
  explicit DirectoryCoordinator(std::string directory) : directory_(std::move(directory)) {}

  Result<JobRecord> Open() override;
  Status SetSpec(const std::string& spec_hash, const std::string& shape) override;
  Status AppendPlan(const BatchPlan& plan) override;
  Status SyncPlan() override;
  const std::string& plan_digest() const override { return plan_digest_; }
  Status PutTable(const std::string& table, const std::string& version,
                  std::string_view bytes) override;
  Result<std::string> GetTable(const std::string& table, const std::string& version) const override;
  Status Commit(const CommitPoint& commit) override;
  void Discard() override { index_.Discard(); }
  StateLog& state() override { return *this; }

 private:
  // StateLog
  Status PutDelta(const std::string& stage, int unit, std::string_view bytes) override;
  Status PutSnapshot(const std::string& stage, int unit, std::string_view bytes) override;
  bool WantsSnapshot(const std::string& stage, int unit) const override {
    return index_.WantsSnapshot({stage, unit});
  }
  Result<UnitBlobs> Load(const std::string& stage, int unit) const override;
  std::vector<std::pair<std::string, int>> Units() const override;
  int64_t committed_bytes() const override { return index_.committed_bytes(); }

  Status Lock();
  Status OpenSegment();
  Status Replay(const Segment::Record& record);
  Status StartGeneration();
  Status PutBlob(uint8_t kind, const std::string& stage, int unit, std::string_view bytes);
  Status Sync();
  Status RewriteIfSparse();
  Status Rewrite();
  Status CopyLive(Segment* next, std::map<BlobIndex::Key, UnitRefs>* units,
                  std::map<std::string, std::pair<std::string, BlobRef>>* tables) const;
  std::string JobPayload() const;
  std::string SpecPayload() const;
  std::string SegmentPath(int64_t number) const;

  std::string directory_;
  UniqueFd lock_;
  std::optional<Segment> segment_;
  int64_t segment_number_ = 0;
  bool broken_ = false;

  std::string job_id_;
  int64_t fence_ = 0;
  std::string generation_;
  std::string spec_hash_;
  std::string shape_;
  CommitPoint commit_;
  std::string plan_bytes_;  // encoded plan commit+1, empty for none
  std::string plan_digest_;
  BlobIndex index_;
  std::map<std::string, std::pair<std::string, BlobRef>> tables_;  // newest version of each table
};

}  // namespace millrace::worker
