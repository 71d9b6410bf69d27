#pragma once

#include <atomic>
#include <cstdint>
#include <random>
#include <stop_token>
#include <string>
#include <vector>

#include "operator/kube/client.h"
#include "operator/queue/backoff.h"

namespace millrace::controller {

// Takes what a Reflector sees, on its thread. Must not block on the network.
class ResourceSink {
 public:
  virtual ~ResourceSink() = default;
  // All objects there are, at one moment: what is not among them is gone.
  virtual void Replace(std::vector<RawObject> objects) = 0;
  virtual void Upsert(RawObject object) = 0;
  virtual void Remove(RawObject object) = 0;
};

struct ReflectorOptions {
  int page_size = 500;
  BackoffOptions backoff{
      .base = std::chrono::milliseconds(800), .cap = std::chrono::seconds(30), .jitter = 0.5};
  Duration healthy_after = std::chrono::minutes(2);  // a watch so long resets the back-off
  Duration min_server_timeout = std::chrono::minutes(5);
  Duration max_server_timeout = std::chrono::minutes(10);
  // The kind may be unknown to the server: then there are no objects, and it asks again after this.
  bool optional = false;
  Duration absent_wait = std::chrono::minutes(1);
  uint64_t seed = 0;
};

// Mirrors one selection of objects into a sink: lists it in pages, then watches it from the list's
// resource version on, for ever.
//
//   state      left by
//   listing    all pages came -> watching; failed -> listing after a back-off; page expired (410)
//              -> listing from the first page
//   watching   the server's timeout -> watching at once; 410, as answer or as event -> listing at
//              once; anything else, silence for too long included -> watching from the last
//              version after a back-off, after several in a row -> listing
// Two 410 in a row wait for the back-off too. A bookmark moves the version and nothing else.
// Versions are opaque. The caller gives it a thread; the readers are thread-safe. Owns nothing it
// is given.
class Reflector {
 public:
  Reflector(Client* client, Clock* clock, Resource resource, Selection selection,
            ResourceSink* sink, ReflectorOptions options = {});

  // Returns once `stop` is requested.
  void Run(std::stop_token stop);

  // The sink has been filled at least once.
  bool synced() const { return synced_; }
  // When it last did something; a thread that hangs shows in this.
  MonotonicTime last_sign_of_life() const { return MonotonicTime(Duration(alive_.load())); }
  // The longest time without one when all is well.
  Duration longest_silence() const;
  int64_t lists() const { return lists_; }
  const Resource& resource() const { return resource_; }

 private:
  Status List(const std::stop_token& stop);
  Status Watch(const std::stop_token& stop);
  Status OnEvent(const WatchEvent& event);
  // What follows a watch that ended with `status`.
  void AfterWatch(const Status& status, Duration lasted, const std::stop_token& stop);
  void Wait(const std::stop_token& stop);
  void Beat() { alive_ = clock_->Monotonic().time_since_epoch().count(); }

  Client* client_;
  Clock* clock_;
  const Resource resource_;
  const Selection selection_;
  ResourceSink* sink_;
  const ReflectorOptions options_;
  std::mt19937_64 random_;
  std::string version_;  // empty: a list is needed
  int64_t failures_ = 0;
  std::atomic<bool> synced_ = false;
  std::atomic<int64_t> alive_;
  std::atomic<int64_t> lists_ = 0;
};

}  // namespace millrace::controller
