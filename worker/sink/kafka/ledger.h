#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/client/kafka/admin.h"
#include "worker/client/kafka/cluster.h"
#include "worker/sink/sink.h"

namespace millrace::worker {

// What one slot of a sink has delivered last, written in the transaction that delivered it.
struct LedgerRecord {
  int64_t batch = 0;       // 0: nothing yet
  std::string digest;      // D(batch), hex; empty for batch 0
  std::string generation;  // of the writer
  std::set<SinkTask> tasks;
  std::string since;  // the generation that found no record of this slot and began it

  // Text of version 2:
  //   millrace-ledger 2 \n  batch <int> \n  digest <hex> \n  generation <text> \n
  //   since <text> \n  {task}
  //   task = "task " <stage> {" " <first unit> ["-" <last unit>]} \n
  // Version 1 has no line "since"; it is read as begun by its writer.
  std::string Format() const;
  // kInternal for anything else.
  static Result<LedgerRecord> Parse(std::string_view text);
  friend bool operator==(const LedgerRecord&, const LedgerRecord&) = default;
};

// The last records of a ledger by key:
//   <slot>   LedgerRecord, by the slot itself or by the one that fenced it
//   "slots"  most slots that any generation had, where there were several; version 1:
//            millrace-ledger-slots 1 \n  slots <int> \n
struct LedgerView {
  std::map<int, LedgerRecord> records;
  int64_t slots = 0;  // 0: not said

  // kInternal for other keys and for values that are none.
  static Result<LedgerView> Parse(const std::map<std::string, std::string>& records);
  // What all slots together say to `generation`. kInternal "StateRolledBack" when they name two
  // histories of one batch.
  Result<SinkLedger> Sum(const std::string& generation) const;
};
inline constexpr std::string_view kLedgerSlotsKey = "slots";
std::string FormatLedgerSlots(int64_t slots);

// The ledger of one job's sink: a compacted topic of one partition. Written by the sink's own
// transactions. Thread-compatible; blocks. Errors as KafkaCluster, and kInvalid for a
// topic that cannot be a ledger, kInternal for records that are none.
class Ledger {
 public:
  virtual ~Ledger() = default;
  virtual const std::string& topic() const = 0;
  // Makes the topic when it is missing.
  virtual Status Prepare(const std::stop_token& stop) = 0;
  // The last records, of `keys` at least; without keys of all. `settled`: no transaction of the
  // wanted ones is open, so everything is read, waiting for others to end; else up to the first
  // open one.
  virtual Result<LedgerView> Read(const std::set<std::string>& keys, bool settled,
                                  const std::stop_token& stop) = 0;
};

// `admin` and `cluster` outlive it.
std::unique_ptr<Ledger> MakeKafkaLedger(std::string topic, KafkaCluster* cluster, KafkaAdmin* admin,
                                        Clock* clock);

}  // namespace millrace::worker
