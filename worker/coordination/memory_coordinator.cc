#include <unordered_map>

#include "crds/base/text.h"
#include "worker/coordination/blob_index.h"
#include "worker/coordination/coordinator.h"

namespace millrace::worker {
namespace {

class MemoryState final : public StateLog {
 public:
  Status PutDelta(const std::string& stage, int unit, std::string_view bytes) override {
    index_.Put({stage, unit}, false, Store(bytes));
    return OkStatus();
  }
  Status PutSnapshot(const std::string& stage, int unit, std::string_view bytes) override {
    index_.Put({stage, unit}, true, Store(bytes));
    return OkStatus();
  }
  bool WantsSnapshot(const std::string& stage, int unit) const override {
    return index_.WantsSnapshot({stage, unit});
  }
  Result<UnitBlobs> Load(const std::string& stage, int unit) const override {
    UnitBlobs blobs;
    const UnitRefs* refs = index_.Find({stage, unit});
    if (refs == nullptr) return blobs;
    if (refs->snapshot) blobs.snapshot = slots_.at(refs->snapshot->place);
    for (const BlobRef& ref : refs->deltas) blobs.deltas.push_back(slots_.at(ref.place));
    return blobs;
  }
  std::vector<std::pair<std::string, int>> Units() const override {
    std::vector<std::pair<std::string, int>> keys;
    for (const auto& [key, refs] : index_.units()) keys.push_back(key);
    return keys;
  }
  int64_t committed_bytes() const override { return index_.committed_bytes(); }

  void Commit() { Free(index_.Commit()); }
  void Discard() { Free(index_.Discard()); }

 private:
  BlobRef Store(std::string_view bytes) {
    slots_.emplace(++last_, bytes);
    return {last_, static_cast<uint32_t>(bytes.size())};
  }
  void Free(const std::vector<BlobRef>& garbage) {
    for (const BlobRef& ref : garbage) slots_.erase(ref.place);
  }

  BlobIndex index_;
  std::unordered_map<uint64_t, std::string> slots_;
  uint64_t last_ = 0;
};

class MemoryCoordinator final : public Coordinator {
 public:
  explicit MemoryCoordinator(std::string job_id) : job_id_(std::move(job_id)) {}

  Result<JobRecord> Open() override {
    JobRecord record;
    record.job_id = job_id_;
    record.generation = "1-" + RandomHex(8);
    record.first_run = true;
    return record;
  }
  Status SetSpec(const std::string&, const std::string&) override { return OkStatus(); }
  Status AppendPlan(const BatchPlan& plan) override {
    if (plan.batch != commit_.batch + 1) {
      return ConflictError("plan " + std::to_string(plan.batch) + " does not follow commit " +
                           std::to_string(commit_.batch));
    }
    digest_ = PlanDigest(commit_.digest, EncodePlan(plan));
    return OkStatus();
  }
  Status SyncPlan() override { return OkStatus(); }
  const std::string& plan_digest() const override { return digest_; }
  Status PutTable(const std::string& table, const std::string& version,
                  std::string_view bytes) override {
    tables_[table] = {version, std::string(bytes)};
    return OkStatus();
  }
  Result<std::string> GetTable(const std::string& table,
                               const std::string& version) const override {
    const auto it = tables_.find(table);
    if (it == tables_.end() || it->second.first != version) {
      return InternalError("StateLost: table \"" + table + "\" version " + version +
                           " is not kept");
    }
    return it->second.second;
  }
  Status Commit(const CommitPoint& commit) override {
    if (commit.batch != commit_.batch + 1 || commit.digest != digest_) {
      return ConflictError("commit of batch " + std::to_string(commit.batch) +
                           " does not follow batch " + std::to_string(commit_.batch));
    }
    commit_ = commit;
    state_.Commit();
    return OkStatus();
  }
  void Discard() override { state_.Discard(); }
  StateLog& state() override { return state_; }

 private:
  std::string job_id_;
  CommitPoint commit_;
  std::string digest_;
  std::map<std::string, std::pair<std::string, std::string>> tables_;
  MemoryState state_;
};

}  // namespace

std::unique_ptr<Coordinator> MakeMemoryCoordinator(std::string job_id) {
  return std::make_unique<MemoryCoordinator>(std::move(job_id));
}

}  // namespace millrace::worker
