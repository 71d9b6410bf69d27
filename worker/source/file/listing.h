#pragma once

#include <set>
#include <string>
#include <vector>

#include "crds/base/file.h"
#include "crds/base/status.h"

namespace millrace::worker {

// What makes a file the same file under any name. Comparable between machines that mount one
// volume.
struct FileId {
  uint64_t device = 0;  // 0 on the device of the source's root, else the device number
  uint64_t inode = 0;
  uint64_t size = 0;
  int64_t mtime_ns = 0;
  int64_t birth_ns = 0;  // 0 where the file system does not tell

  // XXH3-64 of device, inode, size and mtime.
  uint64_t Hash() const;
  bool SameContents(const FileId& other) const;  // all but birth
  bool SameInode(const FileId& other) const;     // device, inode and, where known, birth
};

struct ListedFile {
  std::string path;
  FileId id;
};

struct OpenedFile {
  UniqueFd fd;
  FileId id;
  std::string path;  // its present name
};

// The files that a path names: those of a directory (not below it), those that match a glob, or one
// file. Names beginning with
// "." or "_" do not count unless given in full. Thread-compatible; List remembers what it warned
// of. Refused with kInvalid: ".." in the path, a path that names a FIFO, device or socket, a file
// that is a symlink out of its folder. Refused one by one, with a warning: such entries found while
// listing.
class FileListing {
 public:
  static Result<FileListing> Create(const std::string& path);

  // Regular files ordered by mtime, then path; a file with several names once. kInvalid beyond
  // kMaxListedFiles.
  Result<std::vector<ListedFile>> List();
  // Opens the file by its path or, where another file has that name now, by its inode in the same
  // folder. kGone
  // ("SourceChanged: ...") when it is nowhere. Thread-safe.
  Result<OpenedFile> Open(const std::string& path, const FileId& id) const;
  // The present name of an inode in the folder of `path`; kNotFound when it is gone. Thread-safe.
  Result<ListedFile> FindInode(const std::string& path, const FileId& id) const;
  // A glob that matches nothing, or a path that does not exist.
  bool missing() const { return missing_; }

  static constexpr size_t kMaxListedFiles = 200'000;

 private:
  FileListing(std::string path, std::string root);
  Result<std::vector<std::string>> Candidates();
  // False for entries that do not count; warns once of refused ones.
  bool Examine(const std::string& path, ListedFile* file);
  void WarnOnce(const std::string& path, const char* reason);
  Result<FileId> Identify(int fd, const std::string& path) const;

  std::string path_;
  std::string root_;  // real path of the folder that files must stay in
  uint64_t root_device_ = 0;
  bool glob_ = false;
  bool missing_ = false;
  std::set<std::string> warned_;
};

// Invalid when `path` is empty, relative parts climb (".."), or it holds a NUL.
Status CheckSourcePath(const std::string& path);

}  // namespace millrace::worker
