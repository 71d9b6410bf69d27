#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "worker/coordination/cluster/plan_maker.h"
#include "worker/schedule/batch_planner.h"
#include "worker/schedule/cluster/slot_facts.h"
#include "worker/schedule/listener.h"

namespace millrace::worker {

// The leader's plans for a job of many workers: what BatchPlanner drafts, kept in the store's
// terms. The commit record holds the CommitPoint without sources; each source has a field
// "s:<source>" with cursor and watermark, each partition "p:<source>/<number>" with offset and
// largest event time, so that a commit writes only what changed. Loop thread only; its arguments
// outlive it.
class ClusterPlanMaker final : public PlanMaker {
 public:
  ClusterPlanMaker(JobParts* parts, TableVersions* tables, JobListener* listener);

  Status Resume(const CommitHead& commit,
                const std::map<std::string, std::string>& offsets) override;
  Status Adopt(const PlanEntry& plan) override;
  Result<std::optional<std::string>> Next(int64_t batch) override;
  MonotonicTime next_due() const override { return due_; }
  CommitParts Finish(int64_t batch, const std::vector<std::string>& facts) override;
  bool completed() const override { return completed_; }

  // The hot fields of the job were edited: plans from the next one on follow them.
  void Retune();

 private:
  struct Planned {
    BatchPlan plan;
    MonotonicTime due;
    MonotonicTime begin;
    int64_t lag_records = -1;
  };
  void Take(BatchPlan plan, int64_t lag_records);
  CommitParts Encode(const CommitPoint& before, const BatchPlan& plan) const;
  void Report(const Planned& planned, const std::vector<SlotFacts>& facts,
              const std::vector<std::map<int, TimePoint>>& event_times);

  JobParts* parts_;
  TableVersions* tables_;
  JobListener* listener_;
  const std::string spec_hash_;
  BatchPlanner planner_;
  CommitPoint commit_;
  std::deque<Planned> planned_;
  MonotonicTime due_;
  bool holds_state_ = true;
  bool final_planned_ = false;
  bool completed_ = false;
};

// The committed history that `commit` and the fields of its offsets say.
Result<CommitPoint> CommitPointOf(const CommitHead& commit,
                                  const std::map<std::string, std::string>& offsets);

}  // namespace millrace::worker
