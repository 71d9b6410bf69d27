#include "worker/sink/file/staged_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "crds/base/failpoint.h"

namespace millrace::worker {
namespace {

constexpr size_t kFlushBytes = 256 << 10;

Status FencedError(const std::string& path) {
  return AbortedError("staging folder of " + path + " is gone: a newer generation writes here now");
}

}  // namespace

Result<std::unique_ptr<StagedFile>> StagedFile::Create(std::string path, Codec codec) {
  UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd.valid()) {
    if (errno == ENOENT) return FencedError(path);
    return ErrnoError("create " + path, errno);
  }
  std::unique_ptr<Compressor> compressor;
  if (codec != Codec::kNone) {
    ASSIGN_OR_RETURN(compressor, Compressor::Create(codec));
  }
  return std::unique_ptr<StagedFile>(
      new StagedFile(std::move(path), std::move(fd), std::move(compressor)));
}

StagedFile::~StagedFile() {
  if (!path_.empty()) unlink(path_.c_str());
}

Status StagedFile::Append(std::string_view bytes) {
  if (compressor_ != nullptr) {
    RETURN_IF_ERROR(compressor_->Write(bytes, &buffer_).WithContext("compress " + path_));
  } else {
    buffer_ += bytes;
  }
  return buffer_.size() >= kFlushBytes ? Flush() : OkStatus();
}

Status StagedFile::Flush() {
  RETURN_IF_ERROR(WriteAll(fd_.get(), buffer_, path_));
  buffer_.clear();
  return OkStatus();
}

Status StagedFile::Finish() {
  if (compressor_ != nullptr) {
    RETURN_IF_ERROR(compressor_->Finish(&buffer_).WithContext("compress " + path_));
    compressor_.reset();
  }
  RETURN_IF_ERROR(Flush());
  buffer_.shrink_to_fit();
  // Several files are finished before the first is synced; this lets the disk work meanwhile. Only
  // a hint.
  (void)sync_file_range(fd_.get(), 0, 0, SYNC_FILE_RANGE_WRITE);
  return OkStatus();
}

Status StagedFile::Sync() {
  RETURN_IF_ERROR(SyncFile(fd_.get(), path_));
  if (close(fd_.release()) != 0) return ErrnoError("close " + path_, errno);
  return OkStatus();
}

Status StagedFile::Publish(const std::string& target) {
  Failpoint("file_sink.before_rename");
  const Status renamed = RenameNoReplace(path_, target);
  if (renamed.code() == StatusCode::kAlreadyExists) return OkStatus();
  if (renamed.code() == StatusCode::kNotFound) return FencedError(path_);
  RETURN_IF_ERROR(renamed);
  path_.clear();
  Failpoint("file_sink.after_rename");
  return OkStatus();
}

}  // namespace millrace::worker
