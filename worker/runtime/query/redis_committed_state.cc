#include "worker/runtime/query/redis_committed_state.h"

#include <utility>

#include "worker/coordination/redis/blob_chain.h"
#include "worker/coordination/redis/redis_job_store.h"
#include "worker/schedule/cluster/cluster_plan_maker.h"

namespace millrace::worker {
namespace {

constexpr int kAttempts = 10;  // commits that may come between two reads of one

}  // namespace

class RedisCommittedState::View final : public CommittedView {
 public:
  View(RedisCommittedState* state, std::string stage, CommitPoint commit, Heads heads)
      : state_(state),
        stage_(std::move(stage)),
        commit_(std::move(commit)),
        heads_(std::move(heads)) {
    for (const std::string& source : state->sources_) {
      const auto found = commit_.sources.find(source);
      watermarks_.push_back(found == commit_.sources.end() ? TimePoint::min()
                                                           : found->second.watermark);
    }
  }

  int64_t batch() const override { return commit_.batch; }
  TimePoint batch_time() const override { return commit_.batch_time; }
  const std::vector<TimePoint>& watermarks() const override { return watermarks_; }
  Result<std::vector<UnitBlobs>> Load(const std::vector<int>& units) override {
    std::map<HeadKey, BlobName> wanted;
    for (const int unit : units) {
      const auto head = heads_.find({stage_, unit});
      if (head != heads_.end()) wanted[head->first] = head->second.last;
    }
    const auto key = [this](const HeadKey& unit) {
      const RedisStateLog::Options& options = state_->options_;
      return GroupKey(options.ns, options.job, options.job_id,
                      options.group_of(unit.first, unit.second));
    };
    ASSIGN_OR_RETURN(BlobChains chains,
                     LoadBlobChains(state_->client_.get(), key, std::move(wanted), state_->stop_));
    std::vector<UnitBlobs> blobs;
    for (const int unit : units) blobs.push_back(std::move(chains[{stage_, unit}].blobs));
    return blobs;
  }

 private:
  RedisCommittedState* state_;
  std::string stage_;
  CommitPoint commit_;
  Heads heads_;
  std::vector<TimePoint> watermarks_;
};

RedisCommittedState::RedisCommittedState(std::unique_ptr<JobStore> store,
                                         std::unique_ptr<RedisClient> client,
                                         RedisStateLog::Options options,
                                         std::vector<std::string> sources, std::stop_token stop)
    : store_(std::move(store)),
      client_(std::move(client)),
      options_(std::move(options)),
      sources_(std::move(sources)),
      stop_(std::move(stop)) {}

Result<std::unique_ptr<CommittedView>> RedisCommittedState::Open(
    const std::string& stage, const std::vector<int>& /*units*/) {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    bool moved = false;
    Result<std::unique_ptr<CommittedView>> view = ReadCommit(stage, &moved);
    if (!moved) return view;
  }
  return UnavailableError("batches commit faster than their state can be read: ask again");
}

// The reports come last: they are refused once another batch has committed.
Result<std::unique_ptr<CommittedView>> RedisCommittedState::ReadCommit(const std::string& stage,
                                                                       bool* moved) {
  const StoreReply job = store_->Call(ReadJob{});
  if (!job.ok()) return UnavailableError("state in redis: " + job.detail);
  const CommitHead& head = job.facts->commit;
  if (head.batch == 0) return UnavailableError("no batch has committed yet");
  const StoreReply offsets = store_->Call(ReadOffsets{});
  if (!offsets.ok()) return UnavailableError("state in redis: " + offsets.detail);
  const StoreReply reports = store_->Call(ReadReports{head.generation, head.batch});
  *moved = reports.code == StoreCode::kRefused;
  if (!reports.ok()) return UnavailableError("state in redis: " + reports.detail);
  ASSIGN_OR_RETURN(CommitPoint commit, CommitPointOf(head, offsets.fields));
  Heads heads;
  for (const auto& [slot, report] : reports.fields) RETURN_IF_ERROR(DecodeHeads(report, &heads));
  return std::unique_ptr<CommittedView>(
      std::make_unique<View>(this, stage, std::move(commit), std::move(heads)));
}

}  // namespace millrace::worker
