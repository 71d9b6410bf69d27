#include "worker/sink/file/file_sink.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "crds/base/failpoint.h"
#include "crds/base/file.h"
#include "crds/base/text.h"

namespace millrace::worker {
namespace {

constexpr size_t kMaxPendingFiles = 64;  // open descriptors at one time
constexpr size_t kMaxKnownFolders = 10'000;
constexpr int kMaxFolderDepth = 64;
constexpr size_t kDigestDigits = 8;
constexpr std::string_view kFencedPrefix = ".fenced-";
constexpr Duration kStagingWait = std::chrono::seconds(30);
constexpr Duration kStagingPoll = std::chrono::milliseconds(50);

bool IsDirectory(const std::string& path) {
  struct stat info {};
  return stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

// What a file system answers to a name that no later attempt can create.
bool IsNameError(int error) { return error == ENOTDIR || error == ENAMETOOLONG || error == ELOOP; }

// Creates `folder` below the existing `base` level by level, and adds the folders that got a new
// name to `unsynced`. kInvalid when the name itself cannot be a folder.
Status CreateFolders(const std::string& base, std::string_view folder,
                     std::set<std::string>* unsynced) {
  std::string parent = base;
  for (const std::string_view part : Split(folder, '/')) {
    if (part.empty()) continue;
    const std::string path = parent + (parent.ends_with('/') ? "" : "/") + std::string(part);
    const int error = mkdir(path.c_str(), 0755) == 0 ? 0 : errno;
    if (error == 0) {
      unsynced->insert(parent);
    } else if (!IsDirectory(path)) {  // read-only parents answer otherwise than EEXIST
      const Status failure = ErrnoError("create folder " + path, error == EEXIST ? ENOTDIR : error);
      return error == EEXIST || IsNameError(error) ? InvalidError(failure.message()) : failure;
    }
    parent = path;
  }
  return OkStatus();
}

// A machine that fails now may have room, or a disk, again later.
Status MayPass(const Status& status) {
  return status.code() == StatusCode::kInternal ? UnavailableError(status.message()) : status;
}

bool IsHiddenName(std::string_view name) { return name.starts_with('_') || name.starts_with('.'); }

// The N of {"batch": N}.
Result<int64_t> ParseCommitted(const std::string& text, const std::string& path) {
  const size_t colon = text.find(':');
  int64_t batch = -1;
  if (colon != std::string::npos) {
    const std::string_view number = Trim(std::string_view(text).substr(colon + 1));
    std::from_chars(number.data(), number.data() + number.size(), batch);
  }
  if (batch < 0)
    return InternalError(path + " does not say {\"batch\": N}; it holds " + Excerpt(text));
  return batch;
}

// One name per task: a second part of the same one would be taken for a replay and lost.
Status CheckParts(const std::string& digest, const std::vector<SinkPart>& parts) {
  if (digest.size() != kDigestDigits)
    return InternalError("batch digest \"" + digest + "\" is too short");
  std::set<std::pair<std::string_view, int>> tasks;
  for (const SinkPart& part : parts) {
    if (!tasks.emplace(part.stage, part.unit).second) {
      return InternalError("two parts of task " + part.stage + "/" + std::to_string(part.unit) +
                           " in one batch");
    }
  }
  return OkStatus();
}

}  // namespace

FileSink::FileSink(FileSinkOptions options, Projection projection, std::unique_ptr<Encoder> encoder)
    : options_(std::move(options)),
      projection_(std::move(projection)),
      encoder_(std::move(encoder)) {
  while (options_.path.size() > 1 && options_.path.ends_with('/')) options_.path.pop_back();
  extension_ = std::string(encoder_->extension()) + std::string(CodecSuffix(options_.codec));
}

Status FileSink::Open(const SinkSeat& seat) {
  const std::string& generation = seat.generation;
  if (generation.empty() || IsHiddenName(generation) || generation.find('/') != std::string::npos) {
    return InvalidError("\"" + Excerpt(generation) + "\" is not a generation name");
  }
  seat_ = seat;
  pending_.clear();
  digests_.clear();
  published_.clear();
  tasks_.clear();
  folders_.clear();
  whole_ = 0;
  staging_ = options_.path + "/_staging/" + generation;
  RETURN_IF_ERROR(seat.slot == 0 ? TakeStaging() : AwaitStaging());
  RETURN_IF_ERROR(Scan("", 0));  // only now: nobody else can add a name any more
  RETURN_IF_ERROR(SyncFolders());
  return ReadCommitted();
}

Status FileSink::TakeStaging() {
  const std::string root = options_.path.starts_with('/') ? "/" : ".";
  RETURN_IF_ERROR(CreateFolders(root, options_.path + "/_staging", &unsynced_));
  RETURN_IF_ERROR(FenceOthers());
  // Last: it tells other slots that the older generations are fenced.
  RETURN_IF_ERROR(CreateFolders(root, staging_, &unsynced_));
  RETURN_IF_ERROR(SyncFolders());
  return RemoveFenced();
}

Status FileSink::AwaitStaging() {
  const MonotonicTime deadline = options_.clock->Monotonic() + kStagingWait;
  while (!IsDirectory(staging_)) {
    if (options_.clock->Monotonic() >= deadline) {
      return UnavailableError(
          "slot 0 did not create " + staging_ + " within " + FormatDuration(kStagingWait) +
          "; either it is gone, or this worker does not see the same file system");
    }
    if (!options_.clock->SleepFor(kStagingPoll, options_.stop)) {
      return AbortedError("stopped while waiting for " + staging_);
    }
  }
  return OkStatus();
}

Status FileSink::FenceOthers() {
  const std::string folder = options_.path + "/_staging";
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(folder));
  for (const std::string& name : names) {
    const std::string path = folder + "/" + name;
    if (path == staging_ || name.starts_with(kFencedPrefix)) continue;
    const std::string fenced = folder + "/" + std::string(kFencedPrefix) + name;
    if (rename(path.c_str(), fenced.c_str()) != 0) return ErrnoError("rename " + path, errno);
  }
  return SyncDirectory(folder);
}

Status FileSink::RemoveFenced() {
  const std::string folder = options_.path + "/_staging";
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(folder));
  for (const std::string& name : names) {
    if (name.starts_with(kFencedPrefix)) RETURN_IF_ERROR(RemoveTree(folder + "/" + name));
  }
  return OkStatus();
}

Status FileSink::Scan(const std::string& folder, int depth) {
  const std::string base = folder.empty() ? options_.path : options_.path + "/" + folder;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, ListDirectory(base));
  for (const std::string& name : names) {
    if (IsHiddenName(name)) continue;
    const std::string relative = folder.empty() ? name : folder + "/" + name;
    if (const std::optional<DataFileName> data = DataFileName::Parse(name)) {
      if (data->stream != options_.stream || data->batch <= seat_.committed) continue;
      digests_[data->batch].insert(data->digest);
      published_[data->batch].insert(options_.path + "/" + relative);
      tasks_[data->batch].insert({data->stage, data->unit});
      unsynced_.insert(base);  // its writer may have gone before it could do so
      continue;
    }
    struct stat info {};
    const std::string path = options_.path + "/" + relative;
    if (depth >= kMaxFolderDepth || lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
      continue;
    }
    RETURN_IF_ERROR(Scan(relative, depth + 1));
    if (unsynced_.contains(path)) unsynced_.insert(base);
  }
  return OkStatus();
}

// A reader may have taken, and removed, files that this job's state knows nothing of: their batch
// counts as delivered.
Status FileSink::ReadCommitted() {
  const std::string path = options_.path + "/_committed";
  Result<std::string> text = ReadFile(path, 1024);
  if (text.status().code() == StatusCode::kNotFound) {
    return seat_.slot == 0 ? WriteCommitted(seat_.committed) : OkStatus();
  }
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(committed_, ParseCommitted(*text, path));
  whole_ = committed_;
  if (seat_.slot != 0 || committed_ >= seat_.committed) return OkStatus();
  return WriteCommitted(seat_.committed);
}

Status FileSink::WriteCommitted(int64_t batch) {
  RETURN_IF_ERROR(
      ReplaceFile(options_.path + "/_committed", "{\"batch\": " + std::to_string(batch) + "}\n"));
  committed_ = batch;
  return OkStatus();
}

Result<SinkLedger> FileSink::ReadLedger() {
  SinkLedger ledger;
  ledger.keeps = true;
  ledger.fence = seat_.fence;
  if (committed_ > seat_.committed) ledger.batch = committed_;
  if (!tasks_.empty()) ledger.batch = std::max(ledger.batch, tasks_.rbegin()->first);
  const auto tasks = tasks_.find(ledger.batch);
  if (tasks == tasks_.end()) return ledger;
  ledger.tasks.assign(tasks->second.begin(), tasks->second.end());
  const std::set<std::string>& digests = digests_.at(ledger.batch);
  ledger.digest = *digests.begin();
  if (digests.size() == 1) return ledger;
  return OtherHistory(ledger.batch, *digests.begin(), *digests.rbegin());
}

// The tasks of the batch itself are skipped by the names of their files.
void FileSink::Skip(const SinkLedger& delivered) { whole_ = std::max(whole_, delivered.batch - 1); }

Status FileSink::OtherHistory(int64_t batch, const std::string& found,
                              const std::string& wanted) const {
  return InternalError(
      "StateRolledBack: " + options_.path + " holds files of batch " + std::to_string(batch) +
      " with digest " + found + ", this run has " + wanted +
      "; they come from another history of the job. Restore its state or use another path");
}

Status FileSink::Committed(int64_t batch) {
  digests_.erase(digests_.begin(), digests_.upper_bound(batch));
  published_.erase(published_.begin(), published_.upper_bound(batch));
  tasks_.erase(tasks_.begin(), tasks_.upper_bound(batch));
  if (seat_.slot != 0 || batch <= committed_) return OkStatus();
  Failpoint("file_sink.before_committed");
  return MayPass(WriteCommitted(batch)).WithContext("file sink");
}

Status FileSink::Deliver(const SinkBatch& batch, const std::vector<SinkPart>& parts,
                         std::vector<RejectedRow>* rejected) {
  const std::string digest = batch.digest.substr(0, kDigestDigits);
  RETURN_IF_ERROR(CheckParts(digest, parts));
  for (const std::string& other : digests_[batch.batch]) {
    if (other != digest) return OtherHistory(batch.batch, other, digest);
  }
  const Status status = MayPass(WriteParts({batch.batch, digest}, parts, rejected));
  pending_.clear();
  return status.WithContext("file sink");
}

Status FileSink::WriteParts(const BatchName& batch, const std::vector<SinkPart>& parts,
                            std::vector<RejectedRow>* rejected) {
  for (const SinkPart& part : parts) {
    const DataFileName name{options_.stream, part.stage, part.unit, batch.number, batch.digest};
    for (const auto& [folder, rows] : Route(part, rejected)) {
      RETURN_IF_ERROR(WriteFile(name, folder, rows, rejected));
    }
  }
  return PublishPending();
}

FileSink::FolderRows FileSink::Route(const SinkPart& part,
                                     std::vector<RejectedRow>* rejected) const {
  FolderRows result;
  for (const RecordBatch& rows : part.rows) {
    const RecordBatch live = Keep(rows, LiveRows(rows));
    if (live.num_rows() == 0) continue;
    const RecordBatch projected = projection_.Apply(live);
    if (options_.path_expr == nullptr) {
      result[""].push_back(projected);
      continue;
    }
    std::vector<BadRecord> bad;
    const ColumnRef folders = options_.path_expr->Evaluate(live, nullptr, &bad);
    std::map<std::string_view, std::vector<uint32_t>> by_folder;
    size_t next_bad = 0;
    std::vector<BadRecord> refused = bad;
    for (uint32_t row = 0; row < live.num_rows(); ++row) {
      if (next_bad < bad.size() && bad[next_bad].row == row) {
        ++next_bad;
      } else {
        by_folder[folders->strings[row]].push_back(row);
      }
    }
    for (const auto& [folder, indexes] : by_folder) {
      const Status valid = CheckSubfolder(folder);
      if (valid.ok()) {
        result[std::string(folder)].push_back(Keep(projected, indexes));
      } else {
        for (const uint32_t row : indexes) refused.push_back({row, valid.message()});
      }
    }
    RejectRows(projected, refused, "pathExpr: ", rejected);
  }
  return result;
}

Status FileSink::WriteFile(const DataFileName& name, const std::string& folder,
                           const std::vector<RecordBatch>& rows,
                           std::vector<RejectedRow>* rejected) {
  const std::string base = folder.empty() ? options_.path : options_.path + "/" + folder;
  const std::string target = base + "/" + name.Format(extension_);
  const std::string staging_path = staging_ + "/" + options_.stream + "." +
                                   std::to_string(seat_.slot) + "." +
                                   std::to_string(next_staged_++);
  const bool exists = name.batch <= whole_ || published_[name.batch].contains(target);
  std::unique_ptr<StagedFile> file;
  RETURN_IF_ERROR(EncodeInto(rows, exists ? nullptr : &staging_path, &file, rejected));
  if (file == nullptr) return OkStatus();
  RETURN_IF_ERROR(file->Finish());
  if (!folder.empty()) RETURN_IF_ERROR(MakeFolder(folder));
  pending_.push_back({std::move(file), base, target, name});
  return pending_.size() >= kMaxPendingFiles ? PublishPending() : OkStatus();
}

// Without a path the rows are only tried, for what they reject. The file is created with the first
// row that encodes.
Status FileSink::EncodeInto(const std::vector<RecordBatch>& rows, const std::string* staging_path,
                            std::unique_ptr<StagedFile>* file, std::vector<RejectedRow>* rejected) {
  std::string bytes;
  for (const RecordBatch& batch : rows) {
    std::vector<BadRecord> bad;
    bytes.clear();
    encoder_->Encode(batch, &bytes, nullptr, &bad);
    RejectRows(batch, bad, "", rejected);
    if (bytes.empty() || staging_path == nullptr) continue;
    if (*file == nullptr) {
      ASSIGN_OR_RETURN(*file, StagedFile::Create(*staging_path, options_.codec));
      RETURN_IF_ERROR((*file)->Append(encoder_->Header()));
    }
    RETURN_IF_ERROR((*file)->Append(bytes));
  }
  return OkStatus();
}

Status FileSink::MakeFolder(const std::string& folder) {
  if (folders_.contains(folder)) return OkStatus();
  if (folders_.size() >= kMaxKnownFolders) folders_.clear();
  RETURN_IF_ERROR(CreateFolders(options_.path, folder, &unsynced_));
  // Another slot may have made the folder and not synced its name yet.
  std::string parent = options_.path;
  for (const std::string_view part : Split(folder, '/')) {
    if (seat_.slots > 1) unsynced_.insert(parent);
    parent += "/" + std::string(part);
  }
  folders_.insert(folder);
  return OkStatus();
}

Status FileSink::PublishPending() {
  for (const Staged& staged : pending_) RETURN_IF_ERROR(staged.file->Sync());
  for (const Staged& staged : pending_) {
    RETURN_IF_ERROR(staged.file->Publish(staged.target));
    digests_[staged.name.batch].insert(staged.name.digest);
    published_[staged.name.batch].insert(staged.target);
    unsynced_.insert(staged.folder);
  }
  pending_.clear();
  return SyncFolders();
}

// A folder stays in the list until its sync succeeded: a later attempt finds its files published
// and would not come here for them.
Status FileSink::SyncFolders() {
  while (!unsynced_.empty()) {
    RETURN_IF_ERROR(SyncDirectory(*unsynced_.begin()));
    unsynced_.erase(unsynced_.begin());
  }
  return OkStatus();
}

}  // namespace millrace::worker
