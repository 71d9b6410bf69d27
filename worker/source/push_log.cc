#include "worker/source/push_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "crds/base/log.h"
#include "crds/base/wire.h"
#include "worker/source/push_log_format.h"

namespace millrace::worker {
namespace {

using push_log::AppendRecord;
using push_log::Chain;
using push_log::Checksum;
using push_log::ForEachRecord;
using push_log::Hex;
using push_log::kGroupHeaderBytes;
using push_log::kMagic;
using push_log::kSegmentHeaderBytes;
using push_log::kSuffix;
using push_log::kVersion;

constexpr size_t kReadPieceBytes = 256 << 10;

Status Lost(const std::string& what) { return GoneError("StateLost: push log " + what); }

}  // namespace

struct PushLog::Segment {
  std::string path;
  UniqueFd fd;
  uint64_t size = 0;
  uint64_t end = 0;  // one past its last record
};

PushLog::PushLog(PushLogOptions options) : options_(std::move(options)) {}
PushLog::~PushLog() = default;

Result<std::unique_ptr<PushLog>> PushLog::Open(PushLogOptions options, uint64_t next_sequence) {
  std::unique_ptr<PushLog> log(new PushLog(std::move(options)));
  if (log->options_.directory.empty()) {
    log->end_ = log->accepted_ = next_sequence;
    return log;
  }
  RETURN_IF_ERROR(MakeDirectories(log->options_.directory));
  RETURN_IF_ERROR(log->Recover());
  log->accepted_ = log->end_;
  return log;
}

Status PushLog::Recover() {
  ASSIGN_OR_RETURN(std::vector<std::string> names, ListDirectory(options_.directory));
  std::erase_if(names, [](const std::string& name) { return !name.ends_with(kSuffix); });
  // A segment whose header was cut by a crash held no record yet.
  for (size_t i = 0; i < names.size(); ++i) {
    RETURN_IF_ERROR(RecoverSegment(names[i], i + 1 == names.size()));
  }
  if (segments_.empty()) return OpenSegment(end_, digest_);
  active_ = segments_.back();
  return OkStatus();
}

Status PushLog::RecoverSegment(const std::string& name, bool last) {
  auto segment = std::make_shared<Segment>();
  segment->path = options_.directory + "/" + name;
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(segment->path, size_t{2} << 30));
  if (bytes.size() < kSegmentHeaderBytes && last) {
    if (::unlink(segment->path.c_str()) != 0) return ErrnoError("remove " + segment->path, errno);
    return OkStatus();
  }
  WireReader header(bytes);
  for (const char letter : kMagic) {
    if (header.U8() != static_cast<uint8_t>(letter))
      return Lost(segment->path + " is not a segment");
  }
  if (const uint32_t version = header.U32(); version != kVersion) {
    return InvalidError("push log " + segment->path + " has format " + std::to_string(version) +
                        "; this build reads 1");
  }
  const uint64_t first = header.U64();
  ChainDigest before;
  before.high = header.U64();
  before.low = header.U64();
  if (!segments_.empty() && (first != end_ || !(before == digest_))) {
    return Lost(segment->path + " does not continue the segment before it");
  }
  end_ = first;
  digest_ = before;
  segment->fd = UniqueFd(::open(segment->path.c_str(), O_RDWR | O_CLOEXEC));
  if (!segment->fd.valid()) return ErrnoError("open " + segment->path, errno);
  size_t at = kSegmentHeaderBytes;
  while (at < bytes.size()) {
    WireReader reader(std::string_view(bytes).substr(at));
    const uint32_t size = reader.U32(), count = reader.U32(), checksum = reader.U32();
    const bool whole = reader.ok() && reader.rest().size() >= size;
    const std::string_view payload = whole ? reader.rest().substr(0, size) : std::string_view();
    if (!whole || Checksum(size, count, payload) != checksum) {
      const bool at_end = !whole || at + kGroupHeaderBytes + size == bytes.size();
      if (!last || !at_end) {
        return Lost(segment->path + " is damaged at byte " + std::to_string(at));
      }
      Log(LogLevel::kWarn, "push log: dropped a group that a crash cut off",
          {{"path", segment->path}, {"bytes", std::to_string(bytes.size() - at)}});
      if (::ftruncate(segment->fd.get(), static_cast<off_t>(at)) != 0) {
        return ErrnoError("truncate " + segment->path, errno);
      }
      RETURN_IF_ERROR(SyncFile(segment->fd.get(), segment->path));
      break;
    }
    at += kGroupHeaderBytes + size;
    groups_.push_back({end_, count, digest_, size, segment, at - size, nullptr});
    stored_bytes_ += size;
    end_ += count;
    digest_ = Chain(digest_, payload);
  }
  segment->size = at;
  segment->end = end_;
  segments_.push_back(std::move(segment));
  return OkStatus();
}

Status PushLog::OpenSegment(uint64_t first, ChainDigest before) {
  auto segment = std::make_shared<Segment>();
  segment->path = options_.directory + "/" + Hex(first) + std::string(kSuffix);
  segment->fd =
      UniqueFd(::open(segment->path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!segment->fd.valid()) return ErrnoError("create " + segment->path, errno);
  std::string header(kMagic);
  WireWriter writer(&header);
  writer.U32(kVersion);
  writer.U64(first);
  writer.U64(before.high);
  writer.U64(before.low);
  RETURN_IF_ERROR(WriteAll(segment->fd.get(), header, segment->path));
  RETURN_IF_ERROR(SyncFile(segment->fd.get(), segment->path));
  RETURN_IF_ERROR(SyncDirectory(options_.directory));
  segment->size = header.size();
  segment->end = first;
  active_ = segment;
  const std::lock_guard lock(mutex_);
  segments_.push_back(std::move(segment));
  return OkStatus();
}

// Runs in one appending thread at a time, without the lock. `group` comes with first and before.
Status PushLog::Flush(const Pending& pending, Group* group) {
  group->count = pending.count;
  group->bytes = pending.payload.size();
  if (options_.directory.empty()) {
    auto padded = std::make_shared<std::string>(pending.payload);
    padded->append(Arena::kPadding, '\0');
    group->memory = std::move(padded);
    return OkStatus();
  }
  if (active_->size >= options_.segment_bytes) {
    RETURN_IF_ERROR(OpenSegment(group->first, group->before));
  }
  const auto size = static_cast<uint32_t>(group->bytes),
             count = static_cast<uint32_t>(group->count);
  std::string frame;
  frame.reserve(kGroupHeaderBytes + size);
  WireWriter writer(&frame);
  writer.U32(size);
  writer.U32(count);
  writer.U32(Checksum(size, count, pending.payload));
  frame += pending.payload;
  if (::lseek(active_->fd.get(), static_cast<off_t>(active_->size), SEEK_SET) < 0) {
    return ErrnoError("seek in " + active_->path, errno);
  }
  RETURN_IF_ERROR(WriteAll(active_->fd.get(), frame, active_->path));
  RETURN_IF_ERROR(SyncFile(active_->fd.get(), active_->path));
  group->segment = active_;
  group->offset = active_->size + kGroupHeaderBytes;
  active_->size += frame.size();
  return OkStatus();
}

Status PushLog::Append(std::span<const std::string_view> records) {
  if (records.empty()) return OkStatus();
  size_t bytes = 0;
  for (const std::string_view record : records) bytes += 4 + record.size();
  std::unique_lock lock(mutex_);
  RETURN_IF_ERROR(broken_);
  if (stored_bytes_ + pending_.payload.size() + bytes > options_.max_bytes) {
    return UnavailableError("push log is full: " + std::to_string(stored_bytes_) +
                            " bytes wait to be processed");
  }
  for (const std::string_view record : records) AppendRecord(record, &pending_.payload);
  pending_.count += records.size();
  accepted_ += records.size();
  const uint64_t mine = accepted_;
  while (end_ < mine && broken_.ok()) {
    if (flushing_) {
      changed_.wait(lock);
      continue;
    }
    flushing_ = true;
    const Pending taken = std::exchange(pending_, {});
    Group group{end_, 0, digest_, 0, nullptr, 0, nullptr};
    lock.unlock();
    const Status status = Flush(taken, &group);
    const ChainDigest after = Chain(group.before, taken.payload);
    lock.lock();
    flushing_ = false;
    if (status.ok()) {
      stored_bytes_ += group.bytes;
      end_ += group.count;
      digest_ = after;
      if (group.segment) group.segment->end = end_;
      groups_.push_back(std::move(group));
    } else {
      broken_ = status.WithContext("push log");
    }
    changed_.notify_all();
  }
  return end_ >= mine ? OkStatus() : broken_;
}

bool PushLog::WaitForSpace(std::stop_token stop) {
  std::unique_lock lock(mutex_);
  return changed_.wait(lock, stop, [this] {
    return !broken_.ok() || stored_bytes_ <= options_.max_bytes / 10 * 9;
  }) && broken_.ok();
}

uint64_t PushLog::first() const {
  const std::lock_guard lock(mutex_);
  return groups_.empty() ? end_ : groups_.front().first;
}

uint64_t PushLog::end() const {
  const std::lock_guard lock(mutex_);
  return end_;
}

Status PushLog::status() const {
  const std::lock_guard lock(mutex_);
  return broken_;
}

Result<std::vector<PushLog::Group>> PushLog::Find(uint64_t from, uint64_t to) const {
  const std::lock_guard lock(mutex_);
  const uint64_t oldest = groups_.empty() ? end_ : groups_.front().first;
  if (from < oldest || to > end_) {
    return Lost("holds records " + std::to_string(oldest) + " to " + std::to_string(end_) +
                ", but " + std::to_string(from) + " to " + std::to_string(to) + " are needed");
  }
  auto group = std::upper_bound(groups_.begin(), groups_.end(), from,
                                [](uint64_t value, const Group& g) { return value < g.first; });
  if (group != groups_.begin()) --group;
  std::vector<Group> found;
  for (; group != groups_.end() && group->first < to; ++group) found.push_back(*group);
  return found;
}

Result<std::shared_ptr<const std::string>> PushLog::Payload(const Group& group) const {
  if (group.memory) return group.memory;
  auto buffer =
      std::make_shared<std::string>(kGroupHeaderBytes + group.bytes + Arena::kPadding, '\0');
  const size_t wanted = kGroupHeaderBytes + group.bytes;
  for (size_t done = 0; done < wanted;) {
    const ssize_t n = ::pread(group.segment->fd.get(), buffer->data() + done, wanted - done,
                              static_cast<off_t>(group.offset - kGroupHeaderBytes + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError("read " + group.segment->path, errno);
    if (n == 0) return Lost(group.segment->path + " was cut");
    done += static_cast<size_t>(n);
  }
  WireReader reader(*buffer);
  const uint32_t size = reader.U32(), count = reader.U32(), checksum = reader.U32();
  const std::string_view payload(buffer->data() + kGroupHeaderBytes, group.bytes);
  if (size != group.bytes || count != group.count || Checksum(size, count, payload) != checksum) {
    return Lost(group.segment->path + " is damaged at byte " + std::to_string(group.offset));
  }
  buffer->erase(0, kGroupHeaderBytes);
  return std::shared_ptr<const std::string>(std::move(buffer));
}

Result<std::string> PushLog::DigestAt(uint64_t sequence) const {
  Group group;
  {
    ASSIGN_OR_RETURN(const std::vector<Group> groups,
                     Find(sequence, sequence + (sequence < end())));
    const std::lock_guard lock(mutex_);
    group = groups.empty() ? Group{end_, 0, digest_, 0, nullptr, 0, nullptr} : groups.front();
  }
  ChainDigest digest = group.before;
  if (sequence > group.first) {
    ASSIGN_OR_RETURN(const auto payload, Payload(group));
    const std::string_view bytes(payload->data(), group.bytes);
    size_t part = bytes.size();
    uint64_t next = group.first;
    ForEachRecord(bytes, group.count, [&](std::string_view, size_t at) {
      if (next++ == sequence) part = at;
    });
    digest = Chain(group.before, bytes.substr(0, part));
  }
  return Hex(digest.high) + Hex(digest.low);
}

Status PushLog::Read(uint64_t from, uint64_t to,
                     const std::function<Status(RawRecords)>& consume) const {
  ASSIGN_OR_RETURN(const std::vector<Group> groups, Find(from, to));
  for (const Group& group : groups) {
    ASSIGN_OR_RETURN(const auto payload, Payload(group));
    RawRecords piece;
    size_t piece_bytes = 0;
    uint64_t sequence = group.first;
    Status status;
    const auto hand_out = [&] {
      if (piece.payloads.empty() || !status.ok()) return;
      piece.owners.push_back(payload);
      status = consume(std::exchange(piece, {}));
      piece_bytes = 0;
    };
    const bool sound = ForEachRecord({payload->data(), group.bytes}, group.count,
                                     [&](std::string_view record, size_t) {
                                       const uint64_t current = sequence++;
                                       if (current < from || current >= to) return;
                                       if (piece.payloads.empty()) {
                                         piece.first_offset = static_cast<int64_t>(current);
                                         piece.first_index = static_cast<int64_t>(current - from);
                                       }
                                       piece.payloads.push_back(record);
                                       piece_bytes += record.size();
                                       if (piece_bytes >= kReadPieceBytes) hand_out();
                                     });
    if (!sound) return Lost("has a group whose lengths do not add up");
    hand_out();
    RETURN_IF_ERROR(status);
  }
  return OkStatus();
}

void PushLog::Trim(uint64_t sequence) {
  std::vector<std::shared_ptr<Segment>> unused;
  {
    const std::lock_guard lock(mutex_);
    while (!groups_.empty() && groups_.front().first + groups_.front().count <= sequence) {
      stored_bytes_ -= groups_.front().bytes;
      groups_.pop_front();
    }
    const uint64_t oldest = groups_.empty() ? end_ : groups_.front().first;
    while (segments_.size() > 1 && segments_.front()->end <= oldest) {
      unused.push_back(std::move(segments_.front()));
      segments_.pop_front();
    }
  }
  changed_.notify_all();
  for (const auto& segment : unused) {
    if (::unlink(segment->path.c_str()) != 0) {
      Log(LogLevel::kWarn, "push log: cannot remove a segment", {{"path", segment->path}});
    }
  }
}

}  // namespace millrace::worker
