#pragma once

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "crds/api/spec.h"
#include "crds/base/clock.h"
#include "worker/coordination/coordinator.h"
#include "worker/plan/job_plan.h"
#include "worker/table/stream_table.h"
#include "worker/table/table.h"

namespace millrace::worker {

// All look-up tables of a job: loads and refreshes file, http and kafka tables in the background,
// takes what streams write into stream tables, and puts one version of each in front of every
// batch. Versions that plans name are kept in the coordination log, so a replay sees what the first
// run saw. Loop thread only, but for its own refresh thread.
class TableKeeper {
 public:
  static constexpr int64_t kMaxListRows = 1000;  // of tables that expressions read as lists
  static constexpr int kStateUnit = 0;           // of a stream table's stage in the state log

  TableKeeper(const api::StreamingJob& job, const JobPlan& plan, TableLoaderOptions loading);
  ~TableKeeper();

  // Loads every file and http table once. Errors name table, place and remedy.
  Status Start();
  // Whether a stage of the state log is a stream table of the job.
  bool Writes(const std::string& stage) const;
  // Restores stream tables from the state log. Requires: before the first batch.
  Status Restore(const StateLog& log);
  // Versions to name in the next plan; new ones are put into `kept` first. kUnavailable/kInvalid
  // where a refresh failed and onRefreshError is Fail.
  Result<std::map<std::string, std::string>> Pin(TableVersions* kept);
  // Puts the versions that a plan names into `tables`.
  Status Select(const std::map<std::string, std::string>& versions, const TableVersions& kept,
                BatchTables* tables);

  // Rows that a batch wrote into stream table `index` (of spec.tables).
  Status Apply(int index, const std::vector<RecordBatch>& rows);
  Status PutState(StateLog* log) const;
  void Settle();

 private:
  struct Loaded {
    int index = 0;
    std::unique_ptr<TableLoader> loader;
    TableVersionRef version;  // newest that loaded; guarded by mutex_
    Status refresh;           // outcome of the last refresh; guarded by mutex_
    std::string pinned;       // version last put into the coordination log
    MonotonicTime next_refresh;
  };
  void RefreshLoop(std::stop_token stop);
  void RefreshDue();
  Status CheckList(const std::string& name, const TableVersion& version) const;
  Result<TableVersionRef> Find(const std::string& name, const std::string& version,
                               const TableVersions& kept);

  const api::StreamingJob& job_;
  TableLoaderOptions loading_;
  std::set<std::string> lists_;
  std::map<int, std::unique_ptr<StreamTable>> streams_;  // by spec.tables index
  std::mutex mutex_;
  std::vector<Loaded> loaded_;
  std::map<std::string, TableVersionRef> selected_;  // versions of the batch in work, by table name
  std::jthread refresher_;
};

}  // namespace millrace::worker
