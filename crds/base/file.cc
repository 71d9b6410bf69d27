#include "crds/base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>

namespace millrace {
namespace {

std::string FolderOf(const std::string& path) {
  const std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

}  // namespace

UniqueFd& UniqueFd::operator=(UniqueFd&& other) noexcept {
  if (this != &other) {
    if (valid()) close(fd_);
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

UniqueFd::~UniqueFd() {
  if (valid()) close(fd_);
}

Result<std::string> ReadFile(const std::string& path, size_t limit_bytes) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("open " + path, errno);
  std::string bytes;
  std::string buffer(64 * 1024, '\0');
  while (true) {
    const ssize_t got = read(fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return ErrnoError("read " + path, errno);
    if (got == 0) return bytes;
    if (bytes.size() + static_cast<size_t>(got) > limit_bytes) {
      return InvalidError("read " + path + ": larger than the limit of " +
                          std::to_string(limit_bytes) + " bytes");
    }
    bytes.append(buffer, 0, static_cast<size_t>(got));
  }
}

Status MakeDirectories(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return ErrnoError("create directory " + path, error.value());
  return OkStatus();
}

Status SyncFile(int fd, const std::string& path) {
  if (fsync(fd) != 0) return ErrnoError("sync " + path, errno);
  return OkStatus();
}

Status SyncDirectory(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("open directory " + path, errno);
  return SyncFile(fd.get(), path);
}

Status WriteAll(int fd, std::string_view bytes, const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return ErrnoError("write " + path, errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return OkStatus();
}

Status ReplaceFile(const std::string& path, std::string_view bytes) {
  const std::string temporary = path + ".tmp";
  {
    const UniqueFd fd(open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (!fd.valid()) return ErrnoError("create " + temporary, errno);
    RETURN_IF_ERROR(WriteAll(fd.get(), bytes, temporary));
    RETURN_IF_ERROR(SyncFile(fd.get(), temporary));
  }
  if (rename(temporary.c_str(), path.c_str()) != 0) {
    return ErrnoError("rename " + temporary + " to " + path, errno);
  }
  return SyncDirectory(FolderOf(path));
}

Status RenameNoReplace(const std::string& from, const std::string& to) {
  if (renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0)
    return OkStatus();
  if (errno != EINVAL && errno != ENOSYS) return ErrnoError("rename " + from + " to " + to, errno);
  // File systems without the flag: a hard link fails in the same way when the name is taken.
  if (link(from.c_str(), to.c_str()) != 0) return ErrnoError("link " + from + " to " + to, errno);
  if (unlink(from.c_str()) != 0) return ErrnoError("unlink " + from, errno);
  return OkStatus();
}

Status RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return ErrnoError("remove " + path, error.value());
  return OkStatus();
}

Result<std::vector<std::string>> ListDirectory(const std::string& path) {
  const auto close_directory = [](DIR* directory) { closedir(directory); };
  const std::unique_ptr<DIR, decltype(close_directory)> directory(opendir(path.c_str()),
                                                                  close_directory);
  if (directory == nullptr) return ErrnoError("list " + path, errno);
  std::vector<std::string> names;
  while (true) {
    errno = 0;
    const dirent* entry = readdir(directory.get());
    if (entry == nullptr && errno != 0) return ErrnoError("list " + path, errno);
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace millrace
