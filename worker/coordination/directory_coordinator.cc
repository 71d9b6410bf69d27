#include "worker/coordination/directory_coordinator.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>

#include "crds/base/failpoint.h"
#include "crds/base/text.h"
#include "crds/base/wire.h"

// Payloads, version 1 (the segment's magic carries the version):
//   kJob       job_id:bytes fence:varint generation:bytes      kSpec   spec_hash:bytes shape:bytes
//   kPlan      encoded BatchPlan                                kCommit encoded CommitPoint
//   kDelta, kSnapshot   stage:bytes unit:varint data            kTable  name:bytes version:bytes
//   data
namespace millrace::worker {
namespace {

constexpr uint8_t kJob = 1, kSpec = 2, kPlan = 3, kDelta = 4, kSnapshot = 5, kCommit = 6,
                  kTable = 7;
constexpr uint64_t kMinRewriteBytes = 32 << 20;
constexpr std::string_view kSegmentPrefix = "log-";

std::string BlobHead(const std::string& stage, int unit) {
  std::string head;
  WireWriter out(&head);
  out.Bytes(stage);
  out.Varint(static_cast<uint64_t>(unit));
  return head;
}

std::string TableHead(const std::string& table, const std::string& version) {
  std::string head;
  WireWriter out(&head);
  out.Bytes(table);
  out.Bytes(version);
  return head;
}

// The part of a payload that is still unread, as a reference into the segment.
BlobRef RestOf(const Segment::Record& record, const WireReader& in) {
  const uint64_t skipped = record.payload.size() - in.rest().size();
  return {record.offset + skipped, static_cast<uint32_t>(in.rest().size())};
}

}  // namespace

Result<JobRecord> DirectoryCoordinator::Open() {
  RETURN_IF_ERROR(MakeDirectories(directory_));
  RETURN_IF_ERROR(Lock());
  RETURN_IF_ERROR(OpenSegment());
  JobRecord record;
  record.first_run = job_id_.empty();
  RETURN_IF_ERROR(StartGeneration());
  record.job_id = job_id_;
  record.generation = generation_;
  record.spec_hash = spec_hash_;
  record.shape = shape_;
  record.commit = commit_;
  if (!plan_bytes_.empty()) {
    ASSIGN_OR_RETURN(record.pending, DecodePlan(plan_bytes_));
  }
  return record;
}

Status DirectoryCoordinator::Lock() {
  const std::string path = directory_ + "/lock";
  lock_ = UniqueFd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!lock_.valid()) return ErrnoError("open " + path, errno);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return OkStatus();
  if (errno != EWOULDBLOCK) return ErrnoError("lock " + path, errno);
  return ConflictError("state directory " + directory_ +
                       " is in use by another process; stop it, or give this job its own --state");
}

std::string DirectoryCoordinator::SegmentPath(int64_t number) const {
  return directory_ + "/" + std::string(kSegmentPrefix) + std::to_string(number);
}

Status DirectoryCoordinator::OpenSegment() {
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(directory_));
  std::vector<int64_t> numbers;
  for (const std::string& name : names) {
    if (!name.starts_with(kSegmentPrefix)) continue;
    int64_t number = 0;
    const char* end = name.data() + name.size();
    const auto parsed = std::from_chars(name.data() + kSegmentPrefix.size(), end, number);
    if (parsed.ec == std::errc() && parsed.ptr == end)
      numbers.push_back(number);
    else
      ::unlink((directory_ + "/" + name).c_str());  // an unfinished rewrite
  }
  if (numbers.empty()) {
    segment_number_ = 1;
    ASSIGN_OR_RETURN(segment_, Segment::Create(SegmentPath(1)));
    RETURN_IF_ERROR(Sync());
    return SyncDirectory(directory_);
  }
  segment_number_ = *std::max_element(numbers.begin(), numbers.end());
  ASSIGN_OR_RETURN(segment_, Segment::Open(SegmentPath(segment_number_),
                                           [this](const Segment::Record& r) { return Replay(r); }));
  index_.Discard();
  for (const int64_t number : numbers) {
    if (number != segment_number_) ::unlink(SegmentPath(number).c_str());
  }
  return OkStatus();
}

Status DirectoryCoordinator::Replay(const Segment::Record& record) {
  WireReader in(record.payload);
  switch (record.kind) {
    case kJob:
      job_id_ = in.Bytes();
      fence_ = static_cast<int64_t>(in.Varint());
      generation_ = in.Bytes();
      return in.Finish("job record");
    case kSpec:
      spec_hash_ = in.Bytes();
      shape_ = in.Bytes();
      return in.Finish("spec record");
    case kPlan:
      plan_bytes_ = record.payload;
      plan_digest_ = PlanDigest(commit_.digest, plan_bytes_);
      return OkStatus();
    case kDelta:
    case kSnapshot: {
      const std::string stage(in.Bytes());
      const int unit = static_cast<int>(in.Varint());
      if (!in.ok()) return InternalError("corrupt state record");
      index_.Put({stage, unit}, record.kind == kSnapshot, RestOf(record, in));
      return OkStatus();
    }
    case kCommit: {
      ASSIGN_OR_RETURN(commit_, DecodeCommit(record.payload));
      plan_bytes_.clear();
      index_.Commit();
      return OkStatus();
    }
    case kTable: {
      const std::string table(in.Bytes());
      const std::string version(in.Bytes());
      if (!in.ok()) return InternalError("corrupt table record");
      tables_[table] = {version, RestOf(record, in)};
      return OkStatus();
    }
  }
  return InternalError("StateLost: unknown record kind " + std::to_string(record.kind) + " in " +
                       directory_ + "; it was written by a newer version");
}

Status DirectoryCoordinator::StartGeneration() {
  if (job_id_.empty()) job_id_ = RandomHex(8);
  generation_ = std::to_string(++fence_) + "-" + RandomHex(8);
  RETURN_IF_ERROR(segment_->Append(kJob, JobPayload()).status());
  return Sync();
}

std::string DirectoryCoordinator::JobPayload() const {
  std::string payload;
  WireWriter out(&payload);
  out.Bytes(job_id_);
  out.Varint(static_cast<uint64_t>(fence_));
  out.Bytes(generation_);
  return payload;
}

std::string DirectoryCoordinator::SpecPayload() const {
  std::string payload;
  WireWriter out(&payload);
  out.Bytes(spec_hash_);
  out.Bytes(shape_);
  return payload;
}

Status DirectoryCoordinator::SetSpec(const std::string& spec_hash, const std::string& shape) {
  if (spec_hash == spec_hash_ && shape == shape_) return OkStatus();
  spec_hash_ = spec_hash;
  shape_ = shape;
  return segment_->Append(kSpec, SpecPayload()).status();
}

Status DirectoryCoordinator::AppendPlan(const BatchPlan& plan) {
  if (plan.batch != commit_.batch + 1) {
    return ConflictError("plan " + std::to_string(plan.batch) + " does not follow commit " +
                         std::to_string(commit_.batch));
  }
  plan_bytes_ = EncodePlan(plan);
  plan_digest_ = PlanDigest(commit_.digest, plan_bytes_);
  RETURN_IF_ERROR(segment_->Append(kPlan, plan_bytes_).status());
  Failpoint("plan.appended");
  return OkStatus();
}

Status DirectoryCoordinator::SyncPlan() { return segment_->synced() ? OkStatus() : Sync(); }

Status DirectoryCoordinator::PutTable(const std::string& table, const std::string& version,
                                      std::string_view bytes) {
  const std::string head = TableHead(table, version);
  ASSIGN_OR_RETURN(const uint64_t offset, segment_->Append(kTable, head + std::string(bytes)));
  tables_[table] = {version, {offset + head.size(), static_cast<uint32_t>(bytes.size())}};
  return OkStatus();
}

Result<std::string> DirectoryCoordinator::GetTable(const std::string& table,
                                                   const std::string& version) const {
  const auto it = tables_.find(table);
  if (it == tables_.end() || it->second.first != version) {
    return InternalError("StateLost: table \"" + table + "\" version " + version + " is not in " +
                         directory_);
  }
  return segment_->Read(it->second.second.place, it->second.second.bytes);
}

Status DirectoryCoordinator::PutDelta(const std::string& stage, int unit, std::string_view bytes) {
  return PutBlob(kDelta, stage, unit, bytes);
}

Status DirectoryCoordinator::PutSnapshot(const std::string& stage, int unit,
                                         std::string_view bytes) {
  return PutBlob(kSnapshot, stage, unit, bytes);
}

Status DirectoryCoordinator::PutBlob(uint8_t kind, const std::string& stage, int unit,
                                     std::string_view bytes) {
  std::string payload = BlobHead(stage, unit);
  const size_t head = payload.size();
  payload += bytes;
  ASSIGN_OR_RETURN(const uint64_t offset, segment_->Append(kind, payload));
  index_.Put({stage, unit}, kind == kSnapshot,
             {offset + head, static_cast<uint32_t>(bytes.size())});
  return OkStatus();
}

Result<UnitBlobs> DirectoryCoordinator::Load(const std::string& stage, int unit) const {
  UnitBlobs blobs;
  const UnitRefs* refs = index_.Find({stage, unit});
  if (refs == nullptr) return blobs;
  if (refs->snapshot) {
    ASSIGN_OR_RETURN(blobs.snapshot, segment_->Read(refs->snapshot->place, refs->snapshot->bytes));
  }
  for (const BlobRef& ref : refs->deltas) {
    ASSIGN_OR_RETURN(std::string delta, segment_->Read(ref.place, ref.bytes));
    blobs.deltas.push_back(std::move(delta));
  }
  return blobs;
}

std::vector<std::pair<std::string, int>> DirectoryCoordinator::Units() const {
  std::vector<std::pair<std::string, int>> keys;
  for (const auto& [key, refs] : index_.units()) keys.push_back(key);
  return keys;
}

Status DirectoryCoordinator::Commit(const CommitPoint& commit) {
  if (commit.batch != commit_.batch + 1 || commit.digest != plan_digest_) {
    return ConflictError("commit of batch " + std::to_string(commit.batch) +
                         " does not follow batch " + std::to_string(commit_.batch) +
                         " of this state directory");
  }
  Failpoint("commit.before");
  RETURN_IF_ERROR(segment_->Append(kCommit, EncodeCommit(commit)).status());
  RETURN_IF_ERROR(Sync());
  Failpoint("commit.after");
  commit_ = commit;
  plan_bytes_.clear();
  index_.Commit();
  return RewriteIfSparse();
}

Status DirectoryCoordinator::Sync() {
  if (broken_)
    return InternalError("state directory " + directory_ + " failed before; restart the process");
  Status status = segment_->Sync();
  broken_ = !status.ok();
  return status;
}

Status DirectoryCoordinator::RewriteIfSparse() {
  const auto live = static_cast<uint64_t>(index_.committed_bytes());
  if (segment_->size() < kMinRewriteBytes || segment_->size() < 2 * live + kMinRewriteBytes / 2)
    return OkStatus();
  return Rewrite();
}

Status DirectoryCoordinator::Rewrite() {
  const std::string target = SegmentPath(segment_number_ + 1);
  const std::string draft = target + ".tmp";
  ::unlink(draft.c_str());
  ASSIGN_OR_RETURN(Segment next, Segment::Create(draft));
  std::map<BlobIndex::Key, UnitRefs> moved;
  std::map<std::string, std::pair<std::string, BlobRef>> moved_tables;
  RETURN_IF_ERROR(CopyLive(&next, &moved, &moved_tables));
  RETURN_IF_ERROR(next.Sync());
  Failpoint("rewrite.before_rename");
  RETURN_IF_ERROR(RenameNoReplace(draft, target));
  RETURN_IF_ERROR(SyncDirectory(directory_));
  ::unlink(SegmentPath(segment_number_).c_str());
  ++segment_number_;
  segment_ = std::move(next);
  index_.units() = std::move(moved);
  tables_ = std::move(moved_tables);
  return OkStatus();
}

Status DirectoryCoordinator::CopyLive(
    Segment* next, std::map<BlobIndex::Key, UnitRefs>* units,
    std::map<std::string, std::pair<std::string, BlobRef>>* tables) const {
  RETURN_IF_ERROR(next->Append(kJob, JobPayload()).status());
  RETURN_IF_ERROR(next->Append(kSpec, SpecPayload()).status());
  const auto copy = [&](uint8_t kind, const std::string& head,
                        const BlobRef& ref) -> Result<BlobRef> {
    ASSIGN_OR_RETURN(const std::string bytes, segment_->Read(ref.place, ref.bytes));
    ASSIGN_OR_RETURN(const uint64_t offset, next->Append(kind, head + bytes));
    return BlobRef{offset + head.size(), ref.bytes};
  };
  for (const auto& [key, refs] : index_.units()) {
    const std::string head = BlobHead(key.first, key.second);
    UnitRefs& target = (*units)[key];
    target.delta_bytes = refs.delta_bytes;
    if (refs.snapshot) {
      ASSIGN_OR_RETURN(target.snapshot, copy(kSnapshot, head, *refs.snapshot));
    }
    for (const BlobRef& ref : refs.deltas) {
      ASSIGN_OR_RETURN(const BlobRef delta, copy(kDelta, head, ref));
      target.deltas.push_back(delta);
    }
  }
  for (const auto& [name, version] : tables_) {
    ASSIGN_OR_RETURN(const BlobRef ref,
                     copy(kTable, TableHead(name, version.first), version.second));
    (*tables)[name] = {version.first, ref};
  }
  return next->Append(kCommit, EncodeCommit(commit_)).status();
}

std::unique_ptr<Coordinator> MakeDirectoryCoordinator(std::string directory) {
  return std::make_unique<DirectoryCoordinator>(std::move(directory));
}

}  // namespace millrace::worker
