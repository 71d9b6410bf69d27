#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "crds/base/file.h"
#include "crds/base/status.h"
#include "worker/client/compression.h"

namespace millrace::worker {

// A file being written in a staging folder: buffered, optionally compressed, removed again unless
// Publish succeeded. Thread-compatible. Errors name the path; kAborted when the staging folder is
// gone, which means that a newer generation has fenced this one.
class StagedFile {
 public:
  static Result<std::unique_ptr<StagedFile>> Create(std::string path, Codec codec);
  ~StagedFile();
  StagedFile(const StagedFile&) = delete;
  StagedFile& operator=(const StagedFile&) = delete;

  Status Append(std::string_view bytes);
  // Ends the content and lets the kernel start writing; no Append afterwards.
  Status Finish();
  // fsync and close. Requires: Finish.
  Status Sync();
  // Renames to `target` without replacing; a target that is there already counts as published.
  // Requires: Sync.
  Status Publish(const std::string& target);

 private:
  StagedFile(std::string path, UniqueFd fd, std::unique_ptr<Compressor> compressor)
      : path_(std::move(path)), fd_(std::move(fd)), compressor_(std::move(compressor)) {}
  Status Flush();

  std::string path_;
  UniqueFd fd_;
  std::unique_ptr<Compressor> compressor_;
  std::string buffer_;
};

}  // namespace millrace::worker
