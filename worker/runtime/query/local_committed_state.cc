#include "worker/runtime/query/local_committed_state.h"

#include <utility>

namespace millrace::worker {

class LocalCommittedState::View final : public CommittedView {
 public:
  View(const LocalCommittedState& state, std::map<int, UnitBlobs> blobs)
      : batch_(state.batch_),
        batch_time_(state.batch_time_),
        watermarks_(state.watermarks_),
        blobs_(std::move(blobs)) {}

  int64_t batch() const override { return batch_; }
  TimePoint batch_time() const override { return batch_time_; }
  const std::vector<TimePoint>& watermarks() const override { return watermarks_; }
  Result<std::vector<UnitBlobs>> Load(const std::vector<int>& units) override {
    std::vector<UnitBlobs> result;
    for (const int unit : units) result.push_back(std::move(blobs_[unit]));
    return result;
  }

 private:
  int64_t batch_;
  TimePoint batch_time_;
  std::vector<TimePoint> watermarks_;
  std::map<int, UnitBlobs> blobs_;
};

LocalCommittedState::LocalCommittedState(const JobParts* parts)
    : parts_(parts),
      batch_(parts->record.commit.batch),
      batch_time_(parts->record.commit.batch_time) {
  for (const api::Source& source : parts->job->spec.sources) {
    const auto found = parts->record.commit.sources.find(source.name);
    const bool known = found != parts->record.commit.sources.end();
    watermarks_.push_back(known ? found->second.watermark : TimePoint::min());
  }
}

Result<std::unique_ptr<CommittedView>> LocalCommittedState::Open(const std::string& stage,
                                                                 const std::vector<int>& units) {
  const auto wish = std::make_shared<Wish>();
  wish->stage = stage;
  wish->units = units;
  std::unique_lock lock(mutex_);
  if (!closed_) wishes_.push_back(wish);
  served_.wait_for(lock, kWait, [&] { return closed_ || wish->done; });
  if (wish->done) return std::move(wish->result);
  if (closed_) return UnavailableError("the job has ended");
  std::erase(wishes_, wish);
  return UnavailableError("state is read between batches, and none ended within 30 s");
}

void LocalCommittedState::OnBatchCommitted(const BatchInfo& info) {
  batch_ = info.plan.batch;
  batch_time_ = info.plan.batch_time;
  for (size_t i = 0; i < info.plan.sources.size(); ++i)
    watermarks_[i] = info.plan.sources[i].watermark;
  Serve();
}

void LocalCommittedState::OnIdle(int64_t /*lag_records*/) { Serve(); }

void LocalCommittedState::Close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  served_.notify_all();
}

void LocalCommittedState::Serve() {
  std::deque<std::shared_ptr<Wish>> wishes;
  {
    const std::lock_guard lock(mutex_);
    wishes.swap(wishes_);
  }
  for (const std::shared_ptr<Wish>& wish : wishes) {
    Result<std::unique_ptr<CommittedView>> result = Copy(*wish);
    const std::lock_guard lock(mutex_);
    wish->result = std::move(result);
    wish->done = true;
  }
  if (!wishes.empty()) served_.notify_all();
}

Result<std::unique_ptr<CommittedView>> LocalCommittedState::Copy(const Wish& wish) const {
  std::map<int, UnitBlobs> blobs;
  int64_t bytes = 0;
  for (const int unit : wish.units) {
    ASSIGN_OR_RETURN(UnitBlobs unit_blobs, parts_->coordinator->state().Load(wish.stage, unit));
    bytes += static_cast<int64_t>(unit_blobs.snapshot.size());
    for (const std::string& delta : unit_blobs.deltas) bytes += static_cast<int64_t>(delta.size());
    if (bytes > kMaxBytesAtOnce)
      return UnavailableError("the step has more than 256 MiB of state: ask for one key");
    blobs.emplace(unit, std::move(unit_blobs));
  }
  return std::unique_ptr<CommittedView>(std::make_unique<View>(*this, std::move(blobs)));
}

}  // namespace millrace::worker
