#pragma once

#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/clock.h"
#include "worker/client/redis/redis.h"
#include "worker/sink/redis/row_builder.h"
#include "worker/sink/sink.h"

namespace millrace::worker {

struct RedisSinkOptions {
  std::string job_id;
  std::string name;
  bool exactly_once = true;
  bool durable = true;                  // false: the ledger begins anew with every process
  std::optional<std::string> hash_tag;  // that all keys have; a Cluster needs one for exactly once
  std::optional<Duration> ttl;
  Clock* clock = nullptr;  // outlives the sink
  std::stop_token stop;
};

// Records of one job's sink as changes of Redis keys. Exactly once: a task's changes are cut by
// position into parts of at most 1,000; each part is one script that checks the fence and that the
// part is the next one of its task, makes the changes and notes the part in the ledger. A part of
// unknown outcome is sent again, which the ledger makes harmless. Open of slot 0 takes the fence of
// all slots, after which a script of an older generation changes nothing; other slots wait for it.
// At least once: the same changes as plain commands, repeated after a failure.
// A key that holds another type rejects its record.
// Thread-compatible; blocks on Redis. Errors: kAborted when fenced or stopped, kUnavailable
// (retryable), kInvalid for login, rights and keys of another slot, kInternal "StateRolledBack" for
// output of another history and "StateLost" for a ledger that went back.
class RedisSink final : public Sink {
 public:
  RedisSink(RedisSinkOptions options, RedisRowBuilder builder, std::unique_ptr<RedisClient> client);

  Status Open(const SinkSeat& seat) override;
  Result<SinkLedger> ReadLedger() override;
  // The ledger itself keeps parts of `delivered.batch` from being written twice.
  void Skip(const SinkLedger& delivered) override { first_open_ = delivered.batch; }
  Status Deliver(const SinkBatch& batch, const std::vector<SinkPart>& parts,
                 std::vector<RejectedRow>* rejected) override;
  Status Committed(int64_t) override { return OkStatus(); }

 private:
  // A change and, shared with the chunk before where one batch fills both, what it points into.
  struct Entry {
    std::shared_ptr<const RedisChanges> source;
    const RedisChange* change = nullptr;
  };
  // Changes that are written together.
  struct Chunk {
    const SinkBatch* batch = nullptr;
    std::string task;
    int64_t part = 0;
    std::vector<Entry> entries;
    size_t args = 0;
    size_t bytes = 0;
  };

  Status CheckServer();
  Status TakeFence();
  // Waits until slot 0 has taken the fence.
  Status AwaitFence();
  Status DeliverPart(const SinkBatch& batch, const SinkPart& part,
                     std::vector<RejectedRow>* rejected);
  Status Flush(Chunk* chunk, std::vector<RejectedRow>* rejected);
  Status WriteOnce(Chunk* chunk, std::vector<RejectedRow>* rejected);
  Status WriteAgain(const Chunk& chunk, std::vector<RejectedRow>* rejected);
  Status CheckSlots(const Chunk& chunk) const;
  Result<RedisReply> RunPart(const Chunk& chunk);
  Status FencedBy(const std::string& generation) const;
  // The Status of an answer that ends the delivery.
  Status Refusal(const RedisReply& answer, const SinkBatch& batch) const;
  static void Reject(const Entry& entry, const std::string& why,
                     std::vector<RejectedRow>* rejected);
  template <typename Call>
  auto Retried(Call call) -> decltype(call());

  RedisSinkOptions options_;
  RedisRowBuilder builder_;
  std::unique_ptr<RedisClient> client_;
  const std::string ledger_;
  std::string generation_;
  int64_t fence_ = 0;
  bool cluster_ = false;
  int64_t first_open_ = 0;  // all output of smaller batches is there
};

}  // namespace millrace::worker
