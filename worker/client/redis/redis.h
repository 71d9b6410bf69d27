#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "crds/api/spec.h"
#include "crds/base/clock.h"
#include "crds/base/status.h"

namespace millrace::worker {

// What a server answers to one command. A value.
struct RedisReply {
  enum class Type : uint8_t { kNil, kInteger, kString, kError, kArray };

  Type type = Type::kNil;
  int64_t integer = 0;  // kInteger
  std::string text;     // kString (also status replies such as OK), kError: "CODE message"
  std::vector<RedisReply> items;  // kArray

  bool nil() const { return type == Type::kNil; }
  bool is_error() const { return type == Type::kError; }
  // Of a kError reply the Status described at RedisClient, else ok.
  Status status() const;
  // The value; kInternal for a reply of another type, the error's status for kError.
  Result<int64_t> AsInteger() const;
  Result<std::string> AsText() const;
  Result<std::vector<RedisReply>> AsArray() const;
};

// One command. A value of views, which live until the call that gets it returns.
struct RedisCommand {
  std::string_view key;                // decides the node of a Cluster; empty: any node
  std::vector<std::string_view> args;  // name first; any bytes
};

// A Lua script, normally constexpr. `name` is for messages.
struct RedisScript {
  std::string_view name;
  std::string_view text;
};

enum class RedisMode : uint8_t {
  kDetect,  // standalone or cluster, as the server says
  kStandalone,
  kSentinel,
  kCluster,
};

// What clients did; several may count into one. Thread-safe.
struct RedisCounts {
  std::atomic<int64_t> round_trips{0};  // one per node and piece of a pipeline
  std::atomic<int64_t> sent_bytes{0};   // requests of them
};

// How to reach a Redis and sign in to it. A value.
struct RedisSettings {
  std::vector<std::string> addresses;  // host:port of the server, the Sentinels, or some nodes
  RedisMode mode = RedisMode::kDetect;
  std::string master_name;        // Sentinel only
  std::optional<api::Auth> auth;  // keys `password` and, if there, `username` of the Secret
  std::optional<api::Tls> tls;
  std::string secrets_directory;  // read again at every connect, so a rotated password is followed
  int database = 0;               // 0 on a Cluster
  Duration connect_timeout = std::chrono::seconds(5);
  Duration command_timeout = std::chrono::seconds(10);  // longest silence, and longest retrying
  size_t max_reply_bytes = 256 << 20;                   // of one reply
  RedisCounts* counts = nullptr;                        // outlives the clients; may be null
};
RedisSettings RedisSettingsOf(const api::RedisState& state, const std::string& secrets_directory);
RedisSettings RedisSettingsOf(const std::string& address, const std::optional<api::Auth>& auth,
                              const std::optional<api::Tls>& tls,
                              const std::string& secrets_directory);

// True when a command may have been executed, may not have been, or may even be executed later.
inline bool OutcomeUnknown(const Status& status) { return status.code() == StatusCode::kDeadline; }
// True for a server that has reached its maxmemory and evicts nothing. Nothing was executed.
bool IsRedisFull(const Status& status);

// A standalone Redis, the master that Sentinels name, or a Cluster, behind one interface. It
// connects when first used and again after a loss, asking the Sentinels or the Cluster anew.
// Guarantee: no command is sent twice unless the server said that it did not execute it. Refusals
// that pass by themselves (LOADING, BUSY, TRYAGAIN, CLUSTERDOWN, MASTERDOWN, READONLY, a
// redirection, a connection that cannot be made again) are retried for `command_timeout`.
// Passwords are in no message.
// Thread-compatible: one owner. Every call blocks, hears `stop`.
// Errors: kUnavailable: nothing was executed, later it may work (IsRedisFull tells one case);
// kDeadline: unknown, see OutcomeUnknown; kInvalid: wrong credentials or rights, no TLS, an error
// of the command itself; kAborted: stopped; kInternal: a reply that is none.
class RedisClient {
 public:
  // Does not connect. kInvalid for settings that cannot work. `clock` outlives the client.
  static Result<std::unique_ptr<RedisClient>> Create(RedisSettings settings, Clock* clock);
  ~RedisClient();
  RedisClient(const RedisClient&) = delete;
  RedisClient& operator=(const RedisClient&) = delete;

  // Connects now, to find wrong settings early. Does not retry.
  Status Connect(const std::stop_token& stop);
  // The reply, never of type kError.
  Result<RedisReply> Run(const RedisCommand& command, const std::stop_token& stop);
  // Replies in the order of `commands`, which go to each node in one piece. Errors of single
  // commands are replies of type kError. Commands on one key are executed in their order unless one
  // of them is refused and retried.
  Result<std::vector<RedisReply>> Pipeline(std::span<const RedisCommand> commands,
                                           const std::stop_token& stop);
  // Runs a script by its digest, or by its text where the server does not know it (R14). Requires:
  // on a Cluster all keys in one slot; the first one decides the node. An error of a script may
  // leave what it wrote before: scripts check first and write last.
  Result<RedisReply> Eval(const RedisScript& script, std::span<const std::string_view> keys,
                          std::span<const std::string_view> args, const std::stop_token& stop);
  Result<bool> IsCluster(const std::stop_token& stop);
  // Host and port of the node that holds `key`, for messages.
  Result<std::string> NodeOf(std::string_view key, const std::stop_token& stop);

 private:
  struct Impl;
  explicit RedisClient(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

// Hash slot of a key: CRC16 (XMODEM) of its hash tag modulo 16384, as in the Redis Cluster
// specification. The tag is what stands in the first {...}, if not empty, else the whole key.
int RedisSlot(std::string_view key);

}  // namespace millrace::worker
