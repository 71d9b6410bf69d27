#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crds/base/status.h"

namespace millrace {

// A file descriptor that closes itself. Move-only; thread-compatible.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  UniqueFd(UniqueFd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept;
  ~UniqueFd();

  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

// Whole-file and directory steps that must survive a crash. All block; errors name the path.
Result<std::string> ReadFile(const std::string& path, size_t limit_bytes);
Status MakeDirectories(const std::string& path);
Status SyncFile(int fd, const std::string& path);
Status SyncDirectory(const std::string& path);
Status WriteAll(int fd, std::string_view bytes, const std::string& path);
// Writes `path`.tmp, syncs it, renames it over `path` and syncs the folder.
Status ReplaceFile(const std::string& path, std::string_view bytes);
// Renames without replacing: kAlreadyExists when `to` is there. Does not sync.
Status RenameNoReplace(const std::string& from, const std::string& to);
Status RemoveTree(const std::string& path);
// Names in a folder, sorted, without "." and "..".
Result<std::vector<std::string>> ListDirectory(const std::string& path);

}  // namespace millrace
