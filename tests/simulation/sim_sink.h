#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "worker/coordination/cluster/ledger_verdict.h"

namespace millrace::simulation {

// A sink with transactions, one writer per slot and a ledger inside them, like Kafka: initialising
// a slot's id fences whoever held it, and a transaction counts whole or not at all.
class SimSink {
 public:
  // Without `fencing` it takes what anybody sends, to see that something notices.
  explicit SimSink(bool fencing = true) : fencing_(fencing) {}

  struct Record {
    int64_t batch = 0;
    std::string digest;
    std::set<int> groups;
  };
  struct Written {
    std::string rows;
    std::string digest;
  };

  // Takes over the id of `slot`; returns the handle's number. `fence` is kept.
  int64_t Init(int slot, int64_t fence);
  bool Holds(int slot, int64_t handle) const;
  // Commits one transaction. False when the handle was fenced; `error` names what exactly-once does
  // not allow.
  bool Commit(int slot, int64_t handle, const Record& record,
              const std::map<int, std::string>& rows, std::string* error);

  worker::LedgerFacts Ledger(bool with_fence) const;
  // batch -> key group -> rows
  const std::map<int64_t, std::map<int, Written>>& rows() const { return rows_; }

 private:
  bool fencing_;
  std::map<int, int64_t> handles_;
  int64_t last_handle_ = 0;
  int64_t fence_ = 0;
  std::map<int, Record> ledger_;  // by slot
  std::map<int64_t, std::map<int, Written>> rows_;
};

}  // namespace millrace::simulation
