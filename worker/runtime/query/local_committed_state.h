#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "worker/runtime/query/committed_state.h"
#include "worker/schedule/job_parts.h"
#include "worker/schedule/listener.h"

namespace millrace::worker {

// State of the job that this process runs alone. The thread of the scheduler, which owns the state,
// hands out copies of what is asked for after commits and idle ticks, so an answer waits for the
// next of these. Listener calls come from that thread; Open from any, Close from any.
// Errors of Open: kUnavailable when no commit or tick came within kWait, for more than
// kMaxBytesAtOnce, and after Close.
class LocalCommittedState final : public CommittedState, public JobListener {
 public:
  static constexpr Duration kWait = std::chrono::seconds(30);
  static constexpr int64_t kMaxBytesAtOnce = int64_t{256} << 20;

  // `parts` outlives it until Close.
  explicit LocalCommittedState(const JobParts* parts);

  Result<std::unique_ptr<CommittedView>> Open(const std::string& stage,
                                              const std::vector<int>& units) override;
  void OnBatchCommitted(const BatchInfo& info) override;
  void OnIdle(int64_t lag_records) override;
  // The job ends: whoever waits is told so.
  void Close();

 private:
  class View;
  struct Wish {
    std::string stage;
    std::vector<int> units;
    bool done = false;  // guarded by mutex_, as the result
    Result<std::unique_ptr<CommittedView>> result = UnavailableError("not read yet");
  };
  void Serve();
  Result<std::unique_ptr<CommittedView>> Copy(const Wish& wish) const;

  const JobParts* parts_;
  // Scheduler's thread only: as of the last commit.
  int64_t batch_ = 0;
  TimePoint batch_time_;
  std::vector<TimePoint> watermarks_;

  std::mutex mutex_;
  std::condition_variable served_;
  bool closed_ = false;                       // guarded by mutex_
  std::deque<std::shared_ptr<Wish>> wishes_;  // guarded by mutex_
};

}  // namespace millrace::worker
