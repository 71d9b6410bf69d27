#include "worker/sink/redis/redis_sink.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <map>
#include <utility>

#include "crds/base/failpoint.h"
#include "crds/base/log.h"
#include "crds/base/text.h"
#include "worker/client/redis/safety.h"
#include "worker/sink/http/retry.h"
#include "worker/sink/redis/ledger_fields.h"
#include "worker/sink/redis/scripts.h"

namespace millrace::worker {
namespace {

constexpr size_t kMaxChanges = 1000;  // of one script: a longer one keeps other clients waiting
constexpr size_t kMaxArgs = 100'000;
constexpr size_t kMaxBytes = 4 << 20;
// Of a ledger that nobody will read again.
constexpr Duration kLedgerLife = std::chrono::hours(24 * 7);
constexpr Duration kFenceWait = std::chrono::seconds(30);
constexpr Duration kFencePoll = std::chrono::milliseconds(50);

using KeyType = api::RedisSink::Type;

std::string LedgerKey(const RedisSinkOptions& options) {
  const std::string owner = options.job_id + "/" + options.name;
  if (options.hash_tag) return "mr:{" + *options.hash_tag + "}:" + owner + ":ledger";
  return "mr:{" + owner + "}:ledger";
}

// What TYPE answers for keys that the sink may write; SET replaces keys of every type.
std::string_view TypeName(KeyType type) {
  switch (type) {
    case KeyType::kHash:
      return "hash";
    case KeyType::kString:
      return "";
    case KeyType::kList:
      return "list";
    case KeyType::kSortedSet:
      return "zset";
    case KeyType::kStream:
      return "stream";
  }
  return "";
}

RedisOp OpOf(KeyType type) {
  switch (type) {
    case KeyType::kHash:
      return RedisOp::kHashSet;
    case KeyType::kString:
      return RedisOp::kSet;
    case KeyType::kList:
      return RedisOp::kPush;
    case KeyType::kSortedSet:
      return RedisOp::kSortedAdd;
    case KeyType::kStream:
      return RedisOp::kStreamAdd;
  }
  return RedisOp::kDelete;
}

std::string Millis(const std::optional<Duration>& duration) {
  if (!duration) return "0";
  return std::to_string(std::max<int64_t>(duration->count() / 1000, 1));
}

std::string_view Letter(const RedisOp& op) { return {reinterpret_cast<const char*>(&op), 1}; }

std::vector<std::string_view> CommandOf(const RedisChange& change) {
  switch (change.op) {
    case RedisOp::kDelete:
      return {"DEL", change.key};
    case RedisOp::kHashSet:
      return {"HSET", change.key};
    case RedisOp::kHashRemove:
      return {"HDEL", change.key};
    case RedisOp::kSet:
      return {"SET", change.key};
    case RedisOp::kPush:
      return {"RPUSH", change.key};
    case RedisOp::kSortedAdd:
      return {"ZADD", change.key};
    case RedisOp::kSortedRemove:
      return {"ZREM", change.key};
    case RedisOp::kStreamAdd:
      return {"XADD", change.key, "*"};
  }
  return {};
}

bool Lives(RedisOp op) {
  return op != RedisOp::kDelete && op != RedisOp::kHashRemove && op != RedisOp::kSortedRemove;
}

std::string ItemText(const RedisReply& reply, size_t item) {
  return item < reply.items.size() ? reply.items[item].text : "";
}

Status StatusOf(const Status& status) { return status; }
template <typename T>
Status StatusOf(const Result<T>& result) {
  return result.status();
}

}  // namespace

RedisSink::RedisSink(RedisSinkOptions options, RedisRowBuilder builder,
                     std::unique_ptr<RedisClient> client)
    : options_(std::move(options)),
      builder_(std::move(builder)),
      client_(std::move(client)),
      ledger_(LedgerKey(options_)) {}

// Both unavailable and unknown outcomes: every call of this sink may be repeated.
template <typename Call>
auto RedisSink::Retried(Call call) -> decltype(call()) {
  const BackoffPolicy backoff;
  for (int attempt = 0;; ++attempt) {
    auto result = call();
    const Status status = StatusOf(result);
    if (!status.retryable()) return result;
    if (attempt + 1 == backoff.attempts) return UnavailableError(status.message());
    if (!options_.clock->SleepFor(backoff.Wait(attempt, 0, std::nullopt), options_.stop)) {
      return AbortedError("stopped while " + status.message());
    }
  }
}

Status RedisSink::Open(const SinkSeat& seat) {
  generation_ = seat.generation;
  fence_ = seat.fence;
  first_open_ = 0;
  RETURN_IF_ERROR(Retried([this] { return client_->Connect(options_.stop); }));
  RETURN_IF_ERROR(CheckServer());
  if (!options_.exactly_once) return OkStatus();
  return seat.slot == 0 ? TakeFence() : AwaitFence();
}

Status RedisSink::CheckServer() {
  ASSIGN_OR_RETURN(cluster_, client_->IsCluster(options_.stop));
  if (!options_.exactly_once) return OkStatus();
  if (cluster_ && !options_.hash_tag) {
    return InvalidError(
        "exactly once on a Redis Cluster needs keys of one slot: let keyExpr begin with a text "
        "that "
        "holds a hash tag, such as '{orders}:' + id, or ask for delivery: AtLeastOnce");
  }
  ASSIGN_OR_RETURN(const RedisSafety safety,
                   CheckRedisSafety(client_.get(), ledger_, options_.stop));
  for (const auto* sentences : {&safety.losses, &safety.warnings}) {
    for (const std::string& sentence : *sentences) {
      Log(LogLevel::kWarn, "exactly once depends on what Redis keeps",
          {{"sink", options_.name}, {"redis", sentence}});
    }
  }
  return OkStatus();
}

Status RedisSink::TakeFence() {
  const std::string probe = ledger_ + ":probe";
  const std::string_view keys[] = {ledger_, probe};
  const std::string life = options_.durable ? "0" : Millis(kLedgerLife);
  const RedisOp op = OpOf(builder_.type());
  const std::string fence = std::to_string(fence_);
  const std::string_view args[] = {generation_, fence, options_.durable ? "0" : "1", life,
                                   Letter(op)};
  const Result<RedisReply> answer =
      Retried([&] { return client_->Eval(kFenceScript, keys, args, options_.stop); });
  if (!answer.ok()) return answer.status();
  return ItemText(*answer, 0) == "OK" ? OkStatus() : Refusal(*answer, {});
}

Status RedisSink::AwaitFence() {
  const MonotonicTime deadline = options_.clock->Monotonic() + kFenceWait;
  while (true) {
    ASSIGN_OR_RETURN(
        const RedisReply held, Retried([&] {
          return client_->Run({ledger_, {"HMGET", ledger_, "generation", "fence"}}, options_.stop);
        }));
    if (ItemText(held, 0) == generation_) return OkStatus();
    ASSIGN_OR_RETURN(const int64_t fence, FenceOf(ItemText(held, 1)));
    if (fence > fence_) return FencedBy(ItemText(held, 0));
    if (options_.clock->Monotonic() >= deadline) {
      return UnavailableError("slot 0 did not open the Redis sink " + options_.name + " within " +
                              FormatDuration(kFenceWait));
    }
    if (!options_.clock->SleepFor(kFencePoll, options_.stop)) {
      return AbortedError("stopped while waiting for slot 0 to open the Redis sink " +
                          options_.name);
    }
  }
}

Result<SinkLedger> RedisSink::ReadLedger() {
  if (!options_.exactly_once) return SinkLedger{};
  ASSIGN_OR_RETURN(const RedisReply held, Retried([&] {
                     return client_->Run({ledger_, {"HGETALL", ledger_}}, options_.stop);
                   }));
  std::map<std::string, std::string> fields;
  for (size_t i = 0; i + 1 < held.items.size(); i += 2) {
    fields[held.items[i].text] = held.items[i + 1].text;
  }
  Result<SinkLedger> ledger = ParseRedisLedger(fields, generation_);
  if (!ledger.ok()) return ledger.status().WithContext("the ledger " + ledger_);
  return ledger;
}

Status RedisSink::FencedBy(const std::string& generation) const {
  return AbortedError("another process has taken over the Redis sink " + options_.name +
                      ": its ledger names generation " + generation + ", this is " + generation_ +
                      ". This one ends; only one process of a job may write");
}

Status RedisSink::Refusal(const RedisReply& answer, const SinkBatch& batch) const {
  const std::string what = ItemText(answer, 0);
  if (what == "FENCED") return FencedBy(ItemText(answer, 1));
  if (what == "HISTORY") {
    return InternalError("StateRolledBack: the ledger " + ledger_ + " holds batch " +
                         ItemText(answer, 1) + " with digest " + ItemText(answer, 2) +
                         ", this run delivers batch " + std::to_string(batch.batch) +
                         " with digest " + batch.digest +
                         "; they come from different histories of the job. Restore its state, or "
                         "give it another state.id and other keys");
  }
  if (what == "FORMAT") {
    return InvalidError("the ledger " + ledger_ + " has format " + ItemText(answer, 1) +
                        ", which a newer version wrote");
  }
  return InternalError(
      "StateLost: Redis went back to before writes of this process that it had "
      "acknowledged (ledger " +
      ledger_ + "); compare its keys with the input, then remove the ledger");
}

Status RedisSink::Deliver(const SinkBatch& batch, const std::vector<SinkPart>& parts,
                          std::vector<RejectedRow>* rejected) {
  bool any = false;
  std::vector<RejectedRow> refused;
  for (const SinkPart& part : parts) {
    RETURN_IF_ERROR(DeliverPart(batch, part, &refused));
    any = any || !part.rows.empty();
  }
  if (any) Failpoint("redis_sink.after_parts");
  std::move(refused.begin(), refused.end(), std::back_inserter(*rejected));
  return OkStatus();
}

// Parts are cut by what the rows hold, never by where batches end, so that a replay cuts them
// alike.
Status RedisSink::DeliverPart(const SinkBatch& batch, const SinkPart& part,
                              std::vector<RejectedRow>* rejected) {
  Chunk chunk;
  chunk.batch = &batch;
  chunk.task = part.stage + "/" + std::to_string(part.unit);
  for (const RecordBatch& rows : part.rows) {
    const auto built = std::make_shared<const RedisChanges>(builder_.Build(rows, rejected));
    for (const RedisChange& change : built->changes) {
      const size_t args = change.args_end - change.args_begin;
      const bool full = chunk.entries.size() == kMaxChanges || chunk.args + args > kMaxArgs ||
                        chunk.bytes + change.bytes > kMaxBytes;
      if (full && !chunk.entries.empty()) {
        RETURN_IF_ERROR(Flush(&chunk, rejected));
        Failpoint("redis_sink.mid_parts");
      }
      chunk.entries.push_back({built, &change});
      chunk.args += args;
      chunk.bytes += change.bytes;
    }
  }
  return chunk.entries.empty() ? OkStatus() : Flush(&chunk, rejected);
}

Status RedisSink::Flush(Chunk* chunk, std::vector<RejectedRow>* rejected) {
  Failpoint("redis_sink.before_part");
  if (chunk->batch->batch >= first_open_) {
    RETURN_IF_ERROR(options_.exactly_once ? WriteOnce(chunk, rejected)
                                          : WriteAgain(*chunk, rejected));
  }
  chunk->part += 1;
  chunk->entries.clear();
  chunk->args = chunk->bytes = 0;
  return OkStatus();
}

void RedisSink::Reject(const Entry& entry, const std::string& why,
                       std::vector<RejectedRow>* rejected) {
  rejected->push_back({"Rejected", "key \"" + Excerpt(entry.change->key) + "\": " + why,
                       RowToJson(entry.source->rows, entry.change->row)});
}

Status RedisSink::CheckSlots(const Chunk& chunk) const {
  if (!cluster_) return OkStatus();
  const int slot = RedisSlot(ledger_);
  for (const Entry& entry : chunk.entries) {
    const std::string_view key = entry.change->key;
    if (RedisSlot(key) == slot) continue;
    return InvalidError("key \"" + Excerpt(key) + "\" is not in the slot of the hash tag {" +
                        options_.hash_tag.value_or("") +
                        "}; on a Redis Cluster exactly once needs that tag first in every key");
  }
  return OkStatus();
}

Result<RedisReply> RedisSink::RunPart(const Chunk& chunk) {
  const std::string fence = std::to_string(fence_);
  const std::string batch = std::to_string(chunk.batch->batch);
  const std::string part = std::to_string(chunk.part);
  const std::string ttl = Millis(options_.ttl);
  const std::string life = options_.durable ? "0" : Millis(kLedgerLife);
  std::vector<std::string_view> keys = {ledger_};
  std::vector<std::string_view> args = {
      generation_, fence, batch, chunk.batch->digest, chunk.task, part, TypeName(builder_.type()),
      ttl,         life};
  std::vector<std::string> counts;
  counts.reserve(chunk.entries.size());  // the views stay where they are
  for (const auto& [source, pointer] : chunk.entries) {
    const RedisChange& change = *pointer;
    counts.push_back(std::to_string(change.args_end - change.args_begin));
    keys.push_back(change.key);
    args.push_back(Letter(change.op));
    args.push_back(counts.back());
    args.insert(args.end(), source->args.begin() + change.args_begin,
                source->args.begin() + change.args_end);
  }
  return Retried([&] { return client_->Eval(kPartScript, keys, args, options_.stop); });
}

Status RedisSink::WriteOnce(Chunk* chunk, std::vector<RejectedRow>* rejected) {
  RETURN_IF_ERROR(CheckSlots(*chunk));
  while (true) {
    ASSIGN_OR_RETURN(const RedisReply answer, RunPart(*chunk));
    const std::string what = ItemText(answer, 0);
    if (what != "OK" && what != "DONE" && what != "TYPE") return Refusal(answer, *chunk->batch);
    std::vector<bool> wrong(chunk->entries.size());
    for (size_t i = 1; i < answer.items.size(); ++i) {
      size_t change = 0;
      const std::string& text = answer.items[i].text;
      (void)std::from_chars(text.data(), text.data() + text.size(), change);
      if (change >= wrong.size() || wrong[change]) continue;
      wrong[change] = true;
      Reject(chunk->entries[change],
             "holds another type than " + std::string(TypeName(builder_.type())), rejected);
    }
    if (what != "TYPE") return OkStatus();
    std::vector<Entry> kept;
    for (size_t i = 0; i < wrong.size(); ++i) {
      if (!wrong[i]) kept.push_back(std::move(chunk->entries[i]));
    }
    if (kept.size() == wrong.size()) return Refusal(answer, *chunk->batch);
    chunk->entries = std::move(kept);
  }
}

Status RedisSink::WriteAgain(const Chunk& chunk, std::vector<RejectedRow>* rejected) {
  const std::string ttl = Millis(options_.ttl);
  std::vector<RedisCommand> commands;
  std::vector<size_t> change_of;
  for (size_t i = 0; i < chunk.entries.size(); ++i) {
    const auto& [source, pointer] = chunk.entries[i];
    const RedisChange& change = *pointer;
    RedisCommand command{change.key, CommandOf(change)};
    command.args.insert(command.args.end(), source->args.begin() + change.args_begin,
                        source->args.begin() + change.args_end);
    commands.push_back(std::move(command));
    if (options_.ttl && Lives(change.op)) {
      commands.push_back({change.key, {"PEXPIRE", change.key, ttl}});
    }
    change_of.resize(commands.size(), i);
  }
  std::vector<RedisReply> replies;
  RETURN_IF_ERROR(Retried([&]() -> Status {
    ASSIGN_OR_RETURN(replies, client_->Pipeline(commands, options_.stop));
    for (const RedisReply& reply : replies) {
      if (reply.status().retryable()) return reply.status();
    }
    return OkStatus();
  }));
  for (size_t i = 0; i < replies.size(); ++i) {
    if (!replies[i].is_error()) continue;
    if (!replies[i].text.starts_with("WRONGTYPE")) return replies[i].status();
    Reject(chunk.entries[change_of[i]], replies[i].text, rejected);
  }
  return OkStatus();
}

}  // namespace millrace::worker
