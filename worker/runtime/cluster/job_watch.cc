#include "worker/runtime/cluster/job_watch.h"

#include <sys/stat.h>

#include <utility>

#include "crds/base/log.h"
#include "crds/base/text.h"

namespace millrace::worker {
namespace {

constexpr Duration kPeriod = std::chrono::seconds(1);

// Changes whenever the file is written or replaced; empty when there is none.
std::string VersionOf(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return "";
  std::string version;
  for (const auto part :
       {static_cast<int64_t>(info.st_dev), static_cast<int64_t>(info.st_ino),
        static_cast<int64_t>(info.st_size), static_cast<int64_t>(info.st_mtim.tv_sec),
        static_cast<int64_t>(info.st_mtim.tv_nsec)})
    version += std::to_string(part) + " ";
  return version;
}

}  // namespace

JobWatch::JobWatch(JobFileRequest request,
                   std::function<Status(const api::StreamingJobSpec&)> check, JobEdits* edits,
                   Clock* clock, Apply apply)
    : request_(std::move(request)),
      check_(std::move(check)),
      edits_(edits),
      clock_(clock),
      apply_(std::move(apply)) {}

void JobWatch::Run(const std::stop_token& stop) {
  if (request_.path == "-") return;
  while (clock_->SleepUntil(clock_->Monotonic() + kPeriod, stop)) Look();
}

void JobWatch::Look() {
  const std::string version = VersionOf(request_.path);
  if (version.empty() || version == version_) return;
  version_ = version;
  Act(Read());
}

EditVerdict JobWatch::Read() {
  JobFile file;
  JobFileError error;
  if (!LoadJobFile(request_, &file, &error))
    return edits_->Refuse(Join(error.lines, "; "), clock_->Now());
  if (const Status status = check_(file.job->spec); !status.ok())
    return edits_->Refuse(status.message(), clock_->Now());
  return edits_->Judge(*file.job, clock_->Now());
}

void JobWatch::Act(const EditVerdict& verdict) {
  const std::string fields = Join(verdict.fields, ", ");
  switch (verdict.kind) {
    case EditVerdict::Kind::kSame:
      return;
    case EditVerdict::Kind::kTaken:
      Log(LogLevel::kInfo, "the job file was edited; taken over from the next batch on",
          {{"fields", fields}});
      return apply_(*verdict.spec);
    case EditVerdict::Kind::kNeedsRestart:
      return Log(LogLevel::kWarn,
                 "the job file was edited; its fields need a rolling restart, this worker goes on "
                 "with the former file",
                 {{"fields", fields}});
    case EditVerdict::Kind::kBroken:
      return Log(
          LogLevel::kError,
          "the job file was edited and is not valid; this worker goes on with the former one",
          {{"error", verdict.error}});
  }
}

}  // namespace millrace::worker
