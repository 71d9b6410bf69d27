#include "worker/coordination/batch_plan.h"

#include <algorithm>

#include "crds/base/text.h"
#include "crds/base/wire.h"

// Plan entry, version 1:
//   version:u8 batch:varint time:i64(us) final:u8 spec_hash:bytes
//   sources:varint { name cursor:bytes watermark:i64 ranges:varint { partition:varint from to
//   proof:bytes records:i64 } } tables:varint { name version:bytes }  exclusions:varint {
//   source:bytes partition index:varint message:bytes }
// Commit record, version 1:
//   version:u8 batch:varint digest generation:bytes time:i64 rate:double completed:u8
//   sources:varint { name cursor:bytes watermark:i64 offsets:varint { partition:varint to:bytes }
//                    maxima:varint { partition:varint time:i64 } }
namespace millrace::worker {
namespace {

constexpr uint8_t kVersion = 1;

void PutTime(WireWriter& out, TimePoint time) { out.I64(time.time_since_epoch().count()); }
TimePoint GetTime(WireReader& in) { return TimePoint(Duration(in.I64())); }

void PutSource(WireWriter& out, const PlannedSource& source) {
  out.Bytes(source.name);
  out.Bytes(source.cursor);
  PutTime(out, source.watermark);
  out.Varint(source.ranges.size());
  for (const PlannedRange& range : source.ranges) {
    out.Varint(range.partition);
    out.Bytes(range.from);
    out.Bytes(range.to);
    out.Bytes(range.proof);
    out.I64(range.records);
  }
}

PlannedSource GetSource(WireReader& in) {
  PlannedSource source;
  source.name = in.Bytes();
  source.cursor = in.Bytes();
  source.watermark = GetTime(in);
  for (uint64_t n = in.Count(5); n > 0; --n) {
    PlannedRange& range = source.ranges.emplace_back();
    range.partition = static_cast<int>(in.Varint());
    range.from = in.Bytes();
    range.to = in.Bytes();
    range.proof = in.Bytes();
    range.records = in.I64();
  }
  return source;
}

void PutCommitted(WireWriter& out, const CommittedSource& source) {
  out.Bytes(source.cursor);
  PutTime(out, source.watermark);
  out.Varint(source.offsets.size());
  for (const auto& [partition, to] : source.offsets) {
    out.Varint(partition);
    out.Bytes(to);
  }
  out.Varint(source.max_event_times.size());
  for (const auto& [partition, time] : source.max_event_times) {
    out.Varint(partition);
    PutTime(out, time);
  }
}

CommittedSource GetCommitted(WireReader& in) {
  CommittedSource source;
  source.cursor = in.Bytes();
  source.watermark = GetTime(in);
  for (uint64_t n = in.Count(2); n > 0; --n) {
    const int partition = static_cast<int>(in.Varint());
    source.offsets[partition] = in.Bytes();
  }
  for (uint64_t n = in.Count(9); n > 0; --n) {
    const int partition = static_cast<int>(in.Varint());
    source.max_event_times[partition] = GetTime(in);
  }
  return source;
}

Status CheckVersion(uint8_t version, std::string_view what) {
  if (version == kVersion) return OkStatus();
  return InternalError(std::string(what) + " has format version " + std::to_string(version) +
                       ", this build reads version 1");
}

}  // namespace

bool BatchPlan::empty() const {
  return std::all_of(sources.begin(), sources.end(),
                     [](const PlannedSource& s) { return s.ranges.empty(); });
}

std::string EncodePlan(const BatchPlan& plan) {
  std::string bytes;
  WireWriter out(&bytes);
  out.U8(kVersion);
  out.Varint(plan.batch);
  PutTime(out, plan.batch_time);
  out.U8(plan.final ? 1 : 0);
  out.Bytes(plan.spec_hash);
  out.Varint(plan.sources.size());
  for (const PlannedSource& source : plan.sources) PutSource(out, source);
  out.Varint(plan.table_versions.size());
  for (const auto& [name, version] : plan.table_versions) {
    out.Bytes(name);
    out.Bytes(version);
  }
  out.Varint(plan.exclusions.size());
  for (const Exclusion& exclusion : plan.exclusions) {
    out.Bytes(exclusion.source);
    out.Varint(exclusion.partition);
    out.Varint(exclusion.index);
    out.Bytes(exclusion.message);
  }
  return bytes;
}

Result<BatchPlan> DecodePlan(std::string_view bytes) {
  WireReader in(bytes);
  RETURN_IF_ERROR(CheckVersion(in.U8(), "plan entry"));
  BatchPlan plan;
  plan.batch = static_cast<int64_t>(in.Varint());
  plan.batch_time = GetTime(in);
  plan.final = in.U8() != 0;
  plan.spec_hash = in.Bytes();
  for (uint64_t n = in.Count(11); n > 0; --n) plan.sources.push_back(GetSource(in));
  for (uint64_t n = in.Count(2); n > 0; --n) {
    const std::string name(in.Bytes());
    plan.table_versions[name] = in.Bytes();
  }
  for (uint64_t n = in.Count(4); n > 0; --n) {
    Exclusion& exclusion = plan.exclusions.emplace_back();
    exclusion.source = in.Bytes();
    exclusion.partition = static_cast<int>(in.Varint());
    exclusion.index = static_cast<int64_t>(in.Varint());
    exclusion.message = in.Bytes();
  }
  RETURN_IF_ERROR(in.Finish("plan entry"));
  return plan;
}

std::string PlanDigest(std::string_view previous, std::string_view encoded_plan) {
  std::string chained(previous);
  chained += encoded_plan;
  return Sha256(chained);
}

std::string EncodeCommit(const CommitPoint& commit) {
  std::string bytes;
  WireWriter out(&bytes);
  out.U8(kVersion);
  out.Varint(commit.batch);
  out.Bytes(commit.digest);
  out.Bytes(commit.generation);
  PutTime(out, commit.batch_time);
  out.Double(commit.rate);
  out.U8(commit.completed ? 1 : 0);
  out.Varint(commit.sources.size());
  for (const auto& [name, source] : commit.sources) {
    out.Bytes(name);
    PutCommitted(out, source);
  }
  return bytes;
}

Result<CommitPoint> DecodeCommit(std::string_view bytes) {
  WireReader in(bytes);
  RETURN_IF_ERROR(CheckVersion(in.U8(), "commit record"));
  CommitPoint commit;
  commit.batch = static_cast<int64_t>(in.Varint());
  commit.digest = in.Bytes();
  commit.generation = in.Bytes();
  commit.batch_time = GetTime(in);
  commit.rate = in.Double();
  commit.completed = in.U8() != 0;
  for (uint64_t n = in.Count(12); n > 0; --n) {
    const std::string name(in.Bytes());
    commit.sources[name] = GetCommitted(in);
  }
  RETURN_IF_ERROR(in.Finish("commit record"));
  return commit;
}

}  // namespace millrace::worker
