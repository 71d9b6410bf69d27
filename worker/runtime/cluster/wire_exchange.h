#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <stop_token>
#include <vector>

#include "worker/client/peer/peer_network.h"
#include "worker/coordination/cluster/generation.h"
#include "worker/exec/exchange.h"

namespace millrace::worker {

// One worker's exchange with the others of a generation. Making it gives up all data frames of the
// generation before, whose ports must be gone by then; others send frames of this generation only
// once every member is ready for it. At most PeerNetwork::kStreams batches, consecutive ones, may
// be in work at a time; frames of a batch whose port is not open yet wait in the network, which
// bounds them. Thread-safe; `network` outlives it.
class WireExchange {
 public:
  // `sources[stage]`: index of the source that an input stage reads, -1 for other stages. Requires:
  // 0 <= slot < generation.slots().
  WireExchange(Generation generation, int slot, std::vector<int> sources, PeerNetwork* network);

  // The worker's port for a batch; used by one run of it. It holds what arrives for the batch until
  // it is destroyed, and must not outlive the exchange. `stop` ends its waits with kAborted.
  std::unique_ptr<ExchangePort> Open(int64_t batch, std::stop_token stop);

  int slot() const { return slot_; }
  int OwnerOf(int stage, int unit) const;
  // Frames of other generations or batches that came and were dropped.
  uint64_t dropped_frames() const { return dropped_frames_.load(); }

 private:
  class Port;

  Generation generation_;
  int slot_;
  std::vector<int> sources_;
  PeerNetwork* network_;
  std::atomic<uint64_t> dropped_frames_{0};
};

}  // namespace millrace::worker
