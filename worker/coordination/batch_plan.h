#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/clock.h"
#include "crds/base/status.h"

namespace millrace::worker {

// One planned range of a source partition; `from`, `to` and `proof` are opaque to all but the
// source.
struct PlannedRange {
  int partition = 0;
  std::string from;
  std::string to;
  std::string proof;
  int64_t records = -1;
};

struct PlannedSource {
  std::string name;
  std::string cursor;
  TimePoint watermark = TimePoint::min();  // of this batch; TimePoint::min(): none yet
  std::vector<PlannedRange> ranges;        // ascending by partition, only non-empty ones
};

// A record that the batch leaves out (poison): its dead letter is output of the batch.
struct Exclusion {
  std::string source;
  int partition = 0;
  int64_t index = 0;  // record number within the planned range
  std::string message;
};

// A plan entry: everything that decides what batch `batch` computes. Once appended to the plan log
// it is a fact. Encoded form (version 1): see batch_plan.cc. Digest: D(b) = SHA-256(D(b-1), encoded
// entry).
struct BatchPlan {
  int64_t batch = 0;
  TimePoint batch_time;
  bool final = false;  // all sources ended with this batch
  std::string spec_hash;
  std::vector<PlannedSource> sources;
  std::map<std::string, std::string> table_versions;  // table -> version
  std::vector<Exclusion> exclusions;

  bool empty() const;
};

std::string EncodePlan(const BatchPlan& plan);
Result<BatchPlan> DecodePlan(std::string_view bytes);
// 32 raw bytes; `previous` is empty for the first batch.
std::string PlanDigest(std::string_view previous, std::string_view encoded_plan);

// Where the committed history of one source stands.
struct CommittedSource {
  std::string cursor;
  std::map<int, std::string> offsets;        // partition -> `to`
  std::map<int, TimePoint> max_event_times;  // partition -> largest event time so far
  TimePoint watermark = TimePoint::min();
};

// The commit record: what is final up to and including `batch`.
struct CommitPoint {
  int64_t batch = 0;   // 0: nothing yet
  std::string digest;  // D(batch)
  std::string generation;
  TimePoint batch_time = TimePoint::min();
  double rate = 0;         // records/s of the rate controller, 0 unknown
  bool completed = false;  // the final batch committed: the job is done
  std::map<std::string, CommittedSource> sources;
};

std::string EncodeCommit(const CommitPoint& commit);
Result<CommitPoint> DecodeCommit(std::string_view bytes);

}  // namespace millrace::worker
