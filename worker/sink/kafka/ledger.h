#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/client/kafka/admin.h"
#include "worker/client/kafka/cluster.h"

namespace millrace::worker {

// A task's output in one sink: stage and unit.
using LedgerTask = std::pair<std::string, int>;

// What one slot of a sink has delivered last, written in the transaction that delivered it.
struct LedgerRecord {
  int64_t batch = 0;       // 0: nothing yet
  std::string digest;      // D(batch), hex; empty for batch 0
  std::string generation;  // of the writer
  std::set<LedgerTask> tasks;

  // Text of version 1:
  //   millrace-ledger 1 \n  batch <int> \n  digest <hex> \n  generation <text> \n  {task}
  //   task = "task " <stage> {" " <first unit> ["-" <last unit>]} \n
  std::string Format() const;
  // kInternal for anything else.
  static Result<LedgerRecord> Parse(std::string_view text);
  friend bool operator==(const LedgerRecord&, const LedgerRecord&) = default;
};

// The ledger of one job's sink: a compacted topic of one partition, key = slot. Written by the
// sink's own transactions. Thread-compatible; blocks. Errors as KafkaCluster, and kInvalid for a
// topic that cannot be a ledger, kInternal for records that are none.
class Ledger {
 public:
  virtual ~Ledger() = default;
  virtual const std::string& topic() const = 0;
  // Makes the topic when it is missing.
  virtual Status Prepare(const std::stop_token& stop) = 0;
  // The last record of `slot`, none when it never wrote. `settled`: no transaction of the slot is
  // open, so everything is read; else up to the first open one.
  virtual Result<std::optional<LedgerRecord>> Read(int slot, bool settled,
                                                   const std::stop_token& stop) = 0;
};

// `admin` and `cluster` outlive it.
std::unique_ptr<Ledger> MakeKafkaLedger(std::string topic, KafkaCluster* cluster, KafkaAdmin* admin,
                                        Clock* clock);

}  // namespace millrace::worker
