#include "worker/source/file/listing.h"

#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <memory>
#include <tuple>

#include "crds/base/log.h"
#include "crds/base/text.h"

namespace millrace::worker {
namespace {

struct CloseDirectory {
  void operator()(DIR* directory) const { ::closedir(directory); }
};

struct Examined {
  FileId id;
  bool regular = false;
  bool directory = false;
};

// By descriptor when `path` is empty. Follows symlinks.
Result<Examined> Stat(int fd, const std::string& path, uint64_t root_device) {
  struct statx info {};
  if (::statx(fd, path.c_str(), path.empty() ? AT_EMPTY_PATH : 0, STATX_BASIC_STATS | STATX_BTIME,
              &info) != 0) {
    return errno == ENOENT ? NotFoundError("stat " + path + ": no such file")
                           : ErrnoError("stat " + path, errno);
  }
  const auto nanos = [](const statx_timestamp& time) {
    return static_cast<int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  };
  Examined result;
  const uint64_t device = makedev(info.stx_dev_major, info.stx_dev_minor);
  result.id = {device == root_device ? 0 : device, info.stx_ino, info.stx_size,
               nanos(info.stx_mtime), (info.stx_mask & STATX_BTIME) ? nanos(info.stx_btime) : 0};
  result.regular = S_ISREG(info.stx_mode);
  result.directory = S_ISDIR(info.stx_mode);
  return result;
}

std::string RealPath(const std::string& path) {
  char resolved[PATH_MAX];
  return ::realpath(path.c_str(), resolved) == nullptr ? "" : resolved;
}

std::string ParentOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string_view BaseName(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool IsInside(const std::string& path, const std::string& root) {
  return root == "/" ||
         (path.starts_with(root) && path.size() > root.size() && path[root.size()] == '/');
}

size_t FirstWildcard(const std::string& path) { return path.find_first_of("*?["); }

bool IsSymlink(const std::string& path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISLNK(info.st_mode);
}

}  // namespace

uint64_t FileId::Hash() const {
  const uint64_t parts[] = {device, inode, size, static_cast<uint64_t>(mtime_ns)};
  return XXH3_64bits(parts, sizeof parts);
}

bool FileId::SameContents(const FileId& other) const {
  return device == other.device && inode == other.inode && size == other.size &&
         mtime_ns == other.mtime_ns;
}

bool FileId::SameInode(const FileId& other) const {
  const bool reborn = birth_ns != 0 && other.birth_ns != 0 && birth_ns != other.birth_ns;
  return device == other.device && inode == other.inode && !reborn;
}

Status CheckSourcePath(const std::string& path) {
  if (path.empty()) return InvalidError("the path is empty");
  if (path.find('\0') != std::string::npos) return InvalidError("the path holds a NUL byte");
  for (const std::string_view part : Split(path, '/')) {
    if (part == "..") return InvalidError("\"" + Excerpt(path) + "\" must not contain \"..\"");
  }
  return OkStatus();
}

FileListing::FileListing(std::string path, std::string root)
    : path_(std::move(path)), root_(std::move(root)) {}

Result<FileListing> FileListing::Create(const std::string& path) {
  RETURN_IF_ERROR(CheckSourcePath(path));
  std::string trimmed = path;
  while (trimmed.size() > 1 && trimmed.back() == '/') trimmed.pop_back();
  const Result<Examined> named = Stat(AT_FDCWD, trimmed, 0);
  if (!named.ok() && named.status().code() != StatusCode::kNotFound) return named.status();
  if (named.ok() && !named->regular && !named->directory) {
    return InvalidError(path + " is neither a directory nor a regular file");
  }
  const size_t wildcard = FirstWildcard(trimmed);
  const bool glob = !named.ok() && wildcard != std::string::npos;
  std::string root = trimmed;
  if (glob) root = ParentOf(trimmed.substr(0, wildcard));
  if (!glob && !(named.ok() && named->directory)) root = ParentOf(trimmed);
  FileListing listing(trimmed, RealPath(root));
  if (listing.root_.empty()) return InvalidError("no such directory: " + root);
  ASSIGN_OR_RETURN(const Examined top, Stat(AT_FDCWD, listing.root_, 0));
  listing.root_device_ = top.id.device;
  listing.glob_ = glob;
  if (named.ok() && named->regular && !IsInside(RealPath(trimmed), listing.root_)) {
    return InvalidError(path + " is a symlink out of its folder " + listing.root_);
  }
  return listing;
}

Result<std::vector<std::string>> FileListing::Candidates() {
  missing_ = false;
  if (glob_) {
    glob_t matches{};
    const int code = ::glob(path_.c_str(), GLOB_NOSORT, nullptr, &matches);
    const std::unique_ptr<glob_t, decltype(&::globfree)> owner(&matches, &::globfree);
    missing_ = code == GLOB_NOMATCH;
    if (code != 0 && code != GLOB_NOMATCH) return InternalError("list " + path_ + " failed");
    return std::vector<std::string>(matches.gl_pathv, matches.gl_pathv + matches.gl_pathc);
  }
  const Result<Examined> named = Stat(AT_FDCWD, path_, root_device_);
  if (!named.ok()) {
    missing_ = named.status().code() == StatusCode::kNotFound;
    if (missing_) return std::vector<std::string>();
    return named.status();
  }
  if (!named->directory) return std::vector<std::string>{path_};
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListDirectory(path_));
  for (std::string& name : names) name = path_ + "/" + name;
  return names;
}

void FileListing::WarnOnce(const std::string& path, const char* reason) {
  if (warned_.size() >= kMaxListedFiles || !warned_.insert(path).second) return;
  Log(LogLevel::kWarn, "file source skips an entry", {{"path", path}, {"reason", reason}});
}

bool FileListing::Examine(const std::string& path, ListedFile* file) {
  const std::string_view name = BaseName(path);
  if (path != path_ && (name.starts_with('.') || name.starts_with('_'))) return false;
  // Folders of a glob may be links too.
  if ((glob_ || IsSymlink(path)) && !IsInside(RealPath(path), root_)) {
    WarnOnce(path, "symlink out of the folder, or broken");
    return false;
  }
  const Result<Examined> found = Stat(AT_FDCWD, path, root_device_);
  if (!found.ok() || found->directory) return false;
  if (!found->regular) {
    WarnOnce(path, "not a regular file");
    return false;
  }
  *file = {path, found->id};
  return true;
}

Result<std::vector<ListedFile>> FileListing::List() {
  ASSIGN_OR_RETURN(const std::vector<std::string> paths, Candidates());
  std::vector<ListedFile> files;
  std::set<std::pair<uint64_t, uint64_t>> inodes;
  ListedFile file;
  for (const std::string& path : paths) {
    if (!Examine(path, &file)) continue;
    if (inodes.insert({file.id.device, file.id.inode}).second) files.push_back(file);
    if (files.size() > kMaxListedFiles) {
      return InvalidError(path_ + " holds more than " + std::to_string(kMaxListedFiles) +
                          " files; move away those already read");
    }
  }
  std::sort(files.begin(), files.end(), [](const ListedFile& a, const ListedFile& b) {
    return std::tie(a.id.mtime_ns, a.path) < std::tie(b.id.mtime_ns, b.path);
  });
  return files;
}

Result<FileId> FileListing::Identify(int fd, const std::string& path) const {
  ASSIGN_OR_RETURN(const Examined found, Stat(fd, "", root_device_));
  if (!found.regular) return InvalidError(path + " is not a regular file");
  return found.id;
}

Result<ListedFile> FileListing::FindInode(const std::string& path, const FileId& id) const {
  const std::string folder = ParentOf(path);
  const std::unique_ptr<DIR, CloseDirectory> directory(::opendir(folder.c_str()));
  while (directory) {
    const dirent* entry = ::readdir(directory.get());
    if (entry == nullptr) break;
    if (entry->d_ino != id.inode) continue;
    const std::string name = folder + "/" + entry->d_name;
    const Result<Examined> found = Stat(AT_FDCWD, name, root_device_);
    if (found.ok() && found->regular && found->id.SameInode(id)) return ListedFile{name, found->id};
  }
  return NotFoundError(path + " is gone");
}

Result<OpenedFile> FileListing::Open(const std::string& path, const FileId& id) const {
  std::string name = path;
  for (int attempt = 0; attempt < 3; ++attempt) {
    // Not blocking: a FIFO may stand under the name by now.
    UniqueFd fd(::open(name.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (fd.valid()) {
      const Result<FileId> found = Identify(fd.get(), name);
      if (found.ok() && found->SameInode(id)) return OpenedFile{std::move(fd), *found, name};
    } else if (errno != ENOENT) {
      return ErrnoError("open " + name, errno);
    }
    const Result<ListedFile> renamed = FindInode(path, id);
    if (!renamed.ok()) break;
    name = renamed->path;
  }
  return GoneError("SourceChanged: file " + path + " (inode " + std::to_string(id.inode) +
                   ") is no longer in its folder");
}

}  // namespace millrace::worker
