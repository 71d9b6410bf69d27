#include "worker/source/file/file_planner.h"

#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

#include "crds/base/log.h"
#include "worker/source/line_buffer.h"

namespace millrace::worker {
namespace {

constexpr size_t kScanBytes = 256 << 10;
constexpr size_t kMinScanBytes = 4 << 10;
constexpr uint64_t kPackedWeight = 4;  // bytes of text that a compressed byte is taken for

int LaneOf(const std::string& path) {
  return static_cast<int>(XXH3_64bits(path.data(), path.size()) % kFileLanes);
}

Status Changed(const std::string& path, const std::string& what) {
  return GoneError("SourceChanged: file " + path + " " + what);
}

std::string Bytes(uint64_t bytes) { return std::to_string(bytes) + " bytes"; }

std::unique_ptr<char[]> ScanBuffer() {
  return std::make_unique_for_overwrite<char[]>(kScanBytes + Arena::kPadding);
}

}  // namespace

Result<size_t> ReadAt(int fd, const std::string& path, uint64_t offset, char* out, size_t size) {
  size_t done = 0;
  while (done < size) {
    const ssize_t n = ::pread(fd, out + done, size - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError("read " + path, errno);
    if (n == 0) break;
    done += static_cast<size_t>(n);
  }
  return done;
}

Result<FileHead> ReadHead(int fd, const std::string& path, uint64_t offset) {
  char buffer[FileHead::kMaxBytes];
  const size_t wanted = std::min<uint64_t>(offset, sizeof buffer);
  ASSIGN_OR_RETURN(const size_t n, ReadAt(fd, path, 0, buffer, wanted));
  return FileHead{n, XXH3_64bits(buffer, n)};
}

FilePlanner::FilePlanner(FilePlannerOptions options, const FileListing* listing)
    : options_(std::move(options)), listing_(listing) {}

uint64_t FilePlanner::Room(const FileBatch& batch, int lane) const {
  const uint64_t used = batch.bytes[static_cast<size_t>(lane)];
  return used >= lane_limit_ || batch.closed[static_cast<size_t>(lane)] ? 0 : lane_limit_ - used;
}

Result<Codec> FilePlanner::CodecOf(int fd, const std::string& path) const {
  switch (options_.spec.compression) {
    case api::Compression::kGzip:
      return Codec::kGzip;
    case api::Compression::kZstd:
      return Codec::kZstd;
    case api::Compression::kAuto: {
      char magic[4];
      ASSIGN_OR_RETURN(const size_t n, ReadAt(fd, path, 0, magic, sizeof magic));
      return DetectCodec({magic, n});
    }
    case api::Compression::kNone:
    case api::Compression::kSnappy:
    case api::Compression::kLz4:
      return Codec::kNone;
  }
  return Codec::kNone;
}

Result<FileBatch> FilePlanner::Plan(const FileCursor& cursor, const std::vector<ListedFile>& files,
                                    int64_t max_records) {
  lane_limit_ = kMaxLaneBytes;
  if (max_records > 0) {
    const double bytes = static_cast<double>(max_records) * record_bytes_;
    lane_limit_ =
        std::max<uint64_t>(1, static_cast<uint64_t>(std::min<double>(bytes, kMaxLaneBytes)));
  }
  FileBatch batch;
  RETURN_IF_ERROR(options_.spec.follow ? PlanFollowed(cursor, files, &batch)
                                       : PlanWhole(cursor, files, &batch));
  return batch;
}

// ---- files that appear complete
// -----------------------------------------------------------------------------

Status FilePlanner::PlanWhole(const FileCursor& before, const std::vector<ListedFile>& files,
                              FileBatch* batch) {
  std::vector<OpenEntry> open = before.open;
  std::vector<uint64_t> listed, done;
  for (const ListedFile& file : files) {
    const uint64_t hash = file.id.Hash();
    listed.push_back(hash);
    if (file.id.size == 0 || before.HasSeen(hash)) continue;
    OpenEntry entry{file.path, file.id, 0, 0, {}};
    const auto found = std::find_if(open.begin(), open.end(), [&](const OpenEntry& other) {
      return other.id.SameContents(file.id);
    });
    if (found != open.end()) {
      entry = *found;
      open.erase(found);
    }
    bool complete = false;
    RETURN_IF_ERROR(PlanFile(file, std::move(entry), batch, &complete));
    if (complete) done.push_back(hash);
  }
  for (const OpenEntry& entry : open) {
    return Changed(entry.path, "was changed or removed with " +
                                   Bytes(entry.id.size - entry.offset) + " of " +
                                   Bytes(entry.id.size) + " unread");
  }
  std::sort(listed.begin(), listed.end());
  batch->cursor.seen = before.seen;
  batch->cursor.gone = before.gone;
  batch->cursor.Settle(listed, done);
  return OkStatus();
}

Status FilePlanner::PlanFile(const ListedFile& file, OpenEntry entry, FileBatch* batch,
                             bool* done) {
  const uint64_t before = entry.offset;
  const int lane = LaneOf(file.path);
  const uint64_t left = file.id.size - entry.offset;
  const bool cut = left >= 2 * kMinSplitBytes;
  const bool room =
      batch->files < options_.spec.max_files_per_batch && (cut || Room(*batch, lane) > 0);
  Result<OpenedFile> opened =
      room ? listing_->Open(file.path, file.id) : Result<OpenedFile>(OpenedFile{});
  // Renamed or removed since it was listed: the next listing tells.
  const bool vanished = !opened.ok() || (room && !opened->id.SameContents(file.id));
  if (vanished && before > 0) return Changed(file.path, "was changed or removed while being read");
  if (vanished) return OkStatus();
  if (room) {
    FilePiece piece{file.path, file.id, entry.offset, 0, entry.lines, Codec::kNone, false, {}};
    const int fd = opened->fd.get();
    ASSIGN_OR_RETURN(piece.codec, CodecOf(fd, file.path));
    auto& lane_bytes = batch->bytes[static_cast<size_t>(lane)];
    if (piece.codec != Codec::kNone) {
      const uint64_t weight = file.id.size * kPackedWeight;
      if (lane_bytes == 0 || weight <= Room(*batch, lane)) {
        piece.to = entry.offset = file.id.size;
        piece.lines_before = 0;
        lane_bytes += weight;
        batch->lanes[static_cast<size_t>(lane)].push_back(piece);
      }
    } else if (cut) {
      RETURN_IF_ERROR(CutFile(fd, piece, batch, &entry));
    } else {
      ASSIGN_OR_RETURN(const End end, FindEnd(fd, piece, entry.offset + Room(*batch, lane)));
      piece.to = entry.offset = end.to;
      entry.lines = entry.lines < 0 || !options_.count_lines ? -1 : entry.lines + end.lines;
      lane_bytes += piece.to - piece.from;
      batch->lanes[static_cast<size_t>(lane)].push_back(piece);
    }
    batch->files += entry.offset > before ? 1 : 0;
  }
  *done = entry.offset == file.id.size;
  if (room && !*done) {
    // What is left of this file comes before all newer files of its lane; a large one is in every
    // lane.
    if (cut) batch->closed.fill(true);
    batch->closed[static_cast<size_t>(lane)] = true;
  }
  batch->left_bytes += file.id.size - entry.offset;
  if (!*done && entry.offset > 0) {
    entry.path = file.path;
    batch->cursor.open.push_back(std::move(entry));
  }
  return OkStatus();
}

Status FilePlanner::CutFile(int fd, const FilePiece& start, FileBatch* batch, OpenEntry* entry) {
  const uint64_t size = start.id.size;
  const uint64_t share =
      std::clamp((size - start.from) / kFileLanes, kMinSplitBytes, kMaxLaneBytes);
  for (int lane = 0; lane < kFileLanes && entry->offset < size; ++lane) {
    const uint64_t room = std::min(Room(*batch, lane), share);
    if (room == 0) continue;
    FilePiece piece = start;
    piece.from = entry->offset;
    piece.lines_before = entry->lines;
    // The rest of an almost equal division goes with the last lane.
    const uint64_t left = size - piece.from;
    const bool rest = left - std::min(left, room) < kFileLanes && Room(*batch, lane) >= left;
    ASSIGN_OR_RETURN(const End end, FindEnd(fd, piece, rest ? size : piece.from + room));
    piece.to = entry->offset = end.to;
    entry->lines = entry->lines < 0 || !options_.count_lines ? -1 : entry->lines + end.lines;
    batch->bytes[static_cast<size_t>(lane)] += piece.to - piece.from;
    batch->lanes[static_cast<size_t>(lane)].push_back(std::move(piece));
  }
  return OkStatus();
}

// ---- files that grow
// ----------------------------------------------------------------------------------------

Status FilePlanner::PlanFollowed(const FileCursor& before, const std::vector<ListedFile>& files,
                                 FileBatch* batch) {
  std::vector<OpenEntry> open = before.open;
  std::vector<std::pair<ListedFile, OpenEntry>> renamed, here;
  for (const ListedFile& file : files) {
    OpenEntry entry{file.path, file.id, 0, 0, {}};
    const auto found = std::find_if(open.begin(), open.end(), [&](const OpenEntry& other) {
      return other.id.SameInode(file.id);
    });
    if (found != open.end()) {
      entry = *found;
      open.erase(found);
    }
    here.emplace_back(file, std::move(entry));
  }
  for (OpenEntry& entry : open) {
    const Result<ListedFile> moved = listing_->FindInode(entry.path, entry.id);
    if (moved.ok()) renamed.emplace_back(*moved, std::move(entry));
    // Otherwise it was deleted: nothing more can come out of it.
  }
  renamed.insert(renamed.end(), here.begin(), here.end());
  for (auto& [file, entry] : renamed) RETURN_IF_ERROR(FollowFile(file, std::move(entry), batch));
  return OkStatus();
}

Status FilePlanner::FollowFile(const ListedFile& file, OpenEntry entry, FileBatch* batch) {
  if (file.id.size < entry.offset) {
    return Changed(file.path, "was truncated: " + Bytes(entry.offset) + " were read, it has " +
                                  Bytes(file.id.size) + " now. Rotate by renaming instead");
  }
  // Records stay in the lane of the name under which the file was first seen.
  const int lane = LaneOf(entry.path);
  const uint64_t room = batch->files < options_.spec.max_files_per_batch ? Room(*batch, lane) : 0;
  if (file.id.size > entry.offset && room > 0) {
    Result<OpenedFile> opened = listing_->Open(file.path, file.id);
    if (opened.ok()) {
      const int fd = opened->fd.get();
      ASSIGN_OR_RETURN(const FileHead head, ReadHead(fd, file.path, entry.head.bytes));
      if (entry.head.bytes > 0 && head.hash != entry.head.hash) {
        return Changed(file.path, "was rewritten in place: its first bytes differ");
      }
      ASSIGN_OR_RETURN(const Codec codec, CodecOf(fd, file.path));
      if (codec != Codec::kNone) return OkStatus();  // a packed copy of a rotated file
      FilePiece piece{file.path, file.id, entry.offset, 0, entry.lines, codec, true, {}};
      ASSIGN_OR_RETURN(const End end, FindEnd(fd, piece, entry.offset + room));
      if (end.to > entry.offset) {
        ASSIGN_OR_RETURN(piece.head, ReadHead(fd, file.path, end.to));
        piece.to = entry.offset = end.to;
        entry.lines = entry.lines < 0 || !options_.count_lines ? -1 : entry.lines + end.lines;
        entry.id = file.id;
        entry.head = piece.head;
        batch->bytes[static_cast<size_t>(lane)] += piece.to - piece.from;
        batch->lanes[static_cast<size_t>(lane)].push_back(std::move(piece));
        ++batch->files;
      }
    }
  }
  batch->left_bytes += file.id.size - entry.offset;
  if (entry.offset > 0) batch->cursor.open.push_back(std::move(entry));
  return OkStatus();
}

Result<FileCursor> FilePlanner::SkipAll(const std::vector<ListedFile>& files) {
  FileCursor cursor;
  for (const ListedFile& file : files) {
    if (!options_.spec.follow) {
      if (file.id.size > 0) cursor.seen.push_back(file.id.Hash());
      continue;
    }
    ASSIGN_OR_RETURN(const OpenedFile opened, listing_->Open(file.path, file.id));
    FilePiece piece{file.path, file.id, 0, 0, -1, Codec::kNone, true, {}};
    ASSIGN_OR_RETURN(const uint64_t to, FindLineEnd(opened.fd.get(), piece, file.id.size));
    if (to == 0) continue;
    ASSIGN_OR_RETURN(const FileHead head, ReadHead(opened.fd.get(), file.path, to));
    cursor.open.push_back({file.path, file.id, to, -1, head});
  }
  std::sort(cursor.seen.begin(), cursor.seen.end());
  return cursor;
}

// ---- ends of records
// ----------------------------------------------------------------------------------------

Result<FilePlanner::End> FilePlanner::FindEnd(int fd, const FilePiece& piece, uint64_t target) {
  End end;
  target = std::min(target, piece.id.size);
  if (target == piece.id.size && !piece.follow) {
    end.to = piece.id.size;
  } else {
    ASSIGN_OR_RETURN(end.to, options_.framing == Framing::kCsv ? FindCsvEnd(fd, piece, target)
                                                               : FindLineEnd(fd, piece, target));
  }
  // A sample keeps the mean size of a record; all lines are counted only where somebody asks for
  // them.
  const bool count = options_.count_lines && (piece.follow || end.to < piece.id.size);
  const uint64_t limit = count ? end.to : std::min<uint64_t>(end.to, piece.from + kScanBytes);
  const auto buffer = ScanBuffer();
  for (uint64_t at = piece.from; at < limit;) {
    const size_t wanted = std::min<uint64_t>(kScanBytes, limit - at);
    ASSIGN_OR_RETURN(const size_t n, ReadAt(fd, piece.path, at, buffer.get(), wanted));
    if (n == 0) break;
    end.lines += std::count(buffer.get(), buffer.get() + n, '\n');
    at += n;
  }
  if (end.lines > 0) {
    const double sample = static_cast<double>(limit - piece.from) / static_cast<double>(end.lines);
    record_bytes_ = std::max(1.0, sample);
  }
  return end;
}

Result<uint64_t> FilePlanner::FindLineEnd(int fd, const FilePiece& piece, uint64_t target) const {
  const auto buffer = ScanBuffer();
  for (uint64_t end = target; end > piece.from;) {
    const size_t wanted = std::min<uint64_t>(kScanBytes, end - piece.from);
    ASSIGN_OR_RETURN(const size_t n, ReadAt(fd, piece.path, end - wanted, buffer.get(), wanted));
    const void* found = n == 0 ? nullptr : ::memrchr(buffer.get(), '\n', n);
    if (found != nullptr) {
      return end - wanted + static_cast<size_t>(static_cast<const char*>(found) - buffer.get()) + 1;
    }
    end -= wanted;
  }
  for (uint64_t at = target; at < piece.id.size;) {
    const size_t wanted = std::min<uint64_t>(kScanBytes, piece.id.size - at);
    ASSIGN_OR_RETURN(const size_t n, ReadAt(fd, piece.path, at, buffer.get(), wanted));
    if (n == 0) break;
    const void* found = std::memchr(buffer.get(), '\n', n);
    if (found != nullptr) {
      return at + static_cast<size_t>(static_cast<const char*>(found) - buffer.get()) + 1;
    }
    at += n;
  }
  return piece.follow ? piece.from : piece.id.size;
}

Result<uint64_t> FilePlanner::FindCsvEnd(int fd, const FilePiece& piece, uint64_t target) const {
  LineBuffer records(Framing::kCsv);
  std::vector<std::string_view> found;
  uint64_t at = piece.from, end = piece.from;
  while (at < piece.id.size && (end == piece.from || at < target)) {
    const uint64_t near = std::max<uint64_t>(kMinScanBytes, target > at ? target - at : 0);
    const size_t wanted = std::min({uint64_t{kScanBytes}, near, piece.id.size - at});
    ASSIGN_OR_RETURN(const size_t n, ReadAt(fd, piece.path, at, records.Reserve(wanted), wanted));
    if (n == 0) break;
    at += n;
    const bool at_end = !piece.follow && at == piece.id.size;
    RETURN_IF_ERROR(records.Commit(n, at_end, &found).WithContext(piece.path));
    end = at - records.pending_bytes();
  }
  return end;
}

}  // namespace millrace::worker
