#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/file.h"
#include "crds/base/status.h"
#include "worker/data/raw_records.h"

namespace millrace::worker {

struct PushLogOptions {
  std::string directory;  // empty: records live in memory only
  uint64_t max_bytes = 256ull << 20;
  uint64_t segment_bytes = 16ull << 20;
};

// 128 bits over everything before a sequence number, chained from one group of records to the next.
struct ChainDigest {
  uint64_t high = 0;
  uint64_t low = 0;
  friend bool operator==(const ChainDigest&, const ChainDigest&) = default;
};

// The records that a push source (socket, http, stdin) has received and that no commit covers yet,
// numbered from 0. A record counts once it is synced to disk; concurrent appends share one write
// and one sync. Equal digests at a sequence mean equal records before it. A group that a crash cut
// off at the very end was never acknowledged and is dropped on opening; damage anywhere else is
// kGone ("StateLost: ..."). Bounded by `max_bytes`: when full, Append refuses. Thread-safe. One
// process at a time may open a directory. After a failed write or sync every Append fails with that
// error.
class PushLog {
 public:
  // `next_sequence` numbers the first record of a log in memory; a directory knows its own numbers.
  static Result<std::unique_ptr<PushLog>> Open(PushLogOptions options, uint64_t next_sequence);
  ~PushLog();

  // Blocks until the records are durable. kUnavailable when the log is full: nothing is kept then.
  Status Append(std::span<const std::string_view> records);
  // Blocks until at least a tenth of the room is free; false when stopped or broken.
  bool WaitForSpace(std::stop_token stop);

  uint64_t first() const;  // the oldest record still kept
  uint64_t end() const;    // one past the newest durable one
  Status status() const;   // ok, or why nothing can be appended any more
  // Hex digest over all records below `sequence`. kGone when it lies outside [first, end].
  Result<std::string> DigestAt(uint64_t sequence) const;
  // Hands out [from, to) in order in pieces of about 256 KiB; first_offset is the sequence,
  // first_index counts from `from`. kGone when records are missing or damaged.
  Status Read(uint64_t from, uint64_t to, const std::function<Status(RawRecords)>& consume) const;
  // Forgets whole groups below `sequence`; the space is free at once.
  void Trim(uint64_t sequence);

 private:
  struct Segment;
  struct Group {
    uint64_t first = 0;
    uint64_t count = 0;
    ChainDigest before;
    uint64_t bytes = 0;                // of the payload
    std::shared_ptr<Segment> segment;  // on disk at `offset`,
    uint64_t offset = 0;
    std::shared_ptr<const std::string> memory;  // or here, with padding behind
  };
  struct Pending {
    std::string payload;
    uint64_t count = 0;
  };

  explicit PushLog(PushLogOptions options);
  Status Recover();
  Status RecoverSegment(const std::string& name, bool last);
  Status OpenSegment(uint64_t first, ChainDigest before);
  Status Flush(const Pending& pending, Group* group);
  Result<std::shared_ptr<const std::string>> Payload(const Group& group) const;
  // Groups that overlap [from, to); kGone when they do not cover it.
  Result<std::vector<Group>> Find(uint64_t from, uint64_t to) const;

  const PushLogOptions options_;
  std::shared_ptr<Segment> active_;  // the flushing thread's

  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::deque<Group> groups_;
  std::deque<std::shared_ptr<Segment>> segments_;
  Pending pending_;
  bool flushing_ = false;
  Status broken_;
  uint64_t stored_bytes_ = 0;
  uint64_t end_ = 0;       // durable
  uint64_t accepted_ = 0;  // durable and pending
  ChainDigest digest_;     // at end_
};

}  // namespace millrace::worker
