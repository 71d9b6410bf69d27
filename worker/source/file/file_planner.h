#pragma once

#include <array>
#include <string>
#include <vector>

#include "crds/api/spec.h"
#include "worker/data/format.h"
#include "worker/source/factory.h"
#include "worker/source/file/file_plan.h"
#include "worker/source/file/listing.h"

namespace millrace::worker {

struct FilePlannerOptions {
  api::FileSource spec;
  Framing framing = Framing::kLines;
  bool count_lines = false;  // __line is wanted
};

// What one batch reads of the listed files, and the cursor after it.
struct FileBatch {
  std::array<std::vector<FilePiece>, kFileLanes> lanes;
  std::array<uint64_t, kFileLanes> bytes{};
  std::array<bool, kFileLanes>
      closed{};  // a file in it is read in part: nothing newer may overtake
  FileCursor cursor;
  uint64_t left_bytes = 0;  // known and not planned
  int64_t files = 0;
};

// Decides which whole records of which files the next batch reads. Oldest files first. A file goes
// to the lane of its path's hash; a large plain one is cut over all lanes in ascending order, so
// that one file keeps every core busy and lane order is file order. A compressed file is one piece.
// Reads files only where it must find a record's end. Scheduler thread only. Borrows the listing.
// kGone ("SourceChanged: ...") when a file read in part has changed or gone.
class FilePlanner {
 public:
  FilePlanner(FilePlannerOptions options, const FileListing* listing);

  // `max_records` per lane, 0 for no limit; it is held by an estimate of the size of a record.
  Result<FileBatch> Plan(const FileCursor& cursor, const std::vector<ListedFile>& files,
                         int64_t max_records);
  // The cursor that skips what is there now.
  Result<FileCursor> SkipAll(const std::vector<ListedFile>& files);
  double record_bytes() const { return record_bytes_; }

  static constexpr uint64_t kMaxLaneBytes = 64ull << 20;
  static constexpr uint64_t kMinSplitBytes = 8ull
                                             << 20;  // files from twice this on are cut over lanes

 private:
  struct End {
    uint64_t to = 0;
    int64_t lines = 0;  // in [from, to), when counted
  };

  Status PlanWhole(const FileCursor& before, const std::vector<ListedFile>& files,
                   FileBatch* batch);
  Status PlanFollowed(const FileCursor& before, const std::vector<ListedFile>& files,
                      FileBatch* batch);
  Status PlanFile(const ListedFile& file, OpenEntry entry, FileBatch* batch, bool* done);
  Status CutFile(int fd, const FilePiece& start, FileBatch* batch, OpenEntry* entry);
  Status FollowFile(const ListedFile& file, OpenEntry entry, FileBatch* batch);
  Result<Codec> CodecOf(int fd, const std::string& path) const;
  // The end of the last record that ends at or before `target`, of at least one record.
  Result<End> FindEnd(int fd, const FilePiece& piece, uint64_t target);
  Result<uint64_t> FindLineEnd(int fd, const FilePiece& piece, uint64_t target) const;
  Result<uint64_t> FindCsvEnd(int fd, const FilePiece& piece, uint64_t target) const;
  uint64_t Room(const FileBatch& batch, int lane) const;

  const FilePlannerOptions options_;
  const FileListing* const listing_;
  double record_bytes_ = 100;  // mean, for limits and display
  uint64_t lane_limit_ = kMaxLaneBytes;
};

// The head of a file of which `offset` bytes were read.
Result<FileHead> ReadHead(int fd, const std::string& path, uint64_t offset);
// Reads up to `size` bytes at `offset`; fewer only at the end of the file.
Result<size_t> ReadAt(int fd, const std::string& path, uint64_t offset, char* out, size_t size);

}  // namespace millrace::worker
