#include "worker/coordination/segment.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "crds/base/wire.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kMagic = "MRLOG001";
constexpr size_t kHeadBytes = 4 + 1;  // what `head` covers
constexpr size_t kHeaderBytes = kHeadBytes + 4 + 8;
constexpr size_t kBufferBytes = 1 << 20;
constexpr size_t kSegmentLimitBytes = size_t{1} << 40;

uint64_t Check(uint8_t kind, std::string_view payload) {
  return XXH3_64bits_withSeed(payload.data(), payload.size(), kind);
}

uint32_t HeadCheck(std::string_view head) {
  return static_cast<uint32_t>(XXH3_64bits(head.data(), kHeadBytes));
}

struct Header {
  uint32_t length;
  uint8_t kind;
  uint32_t head;
  uint64_t check;
};

Header ReadHeader(std::string_view bytes) {
  WireReader in(bytes);
  Header header{};
  header.length = in.U32();
  header.kind = in.U8();
  header.head = in.U32();
  header.check = in.U64();
  return header;
}

Status Damaged(const std::string& path, uint64_t position) {
  return InternalError("StateLost: " + path + " is damaged at byte " + std::to_string(position) +
                       "; restore the state directory from a copy");
}

// A file that grew before its data reached the disk ends in zeros.
bool OnlyZeros(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

// Visits whole records and returns where the good part ends.
Result<uint64_t> Scan(std::string_view bytes, const std::string& path,
                      const Segment::Visitor& visit) {
  uint64_t position = kMagic.size();
  while (bytes.size() - position >= kHeaderBytes) {
    const Header header = ReadHeader(bytes.substr(position, kHeaderBytes));
    if (HeadCheck(bytes.substr(position)) != header.head) {
      if (OnlyZeros(bytes.substr(position))) break;
      return Damaged(path, position);
    }
    const uint64_t begin = position + kHeaderBytes;
    if (header.length > bytes.size() - begin) break;  // the tail was never written whole
    const std::string_view payload = bytes.substr(begin, header.length);
    if (Check(header.kind, payload) != header.check) {
      if (begin + header.length == bytes.size()) break;
      return Damaged(path, position);
    }
    RETURN_IF_ERROR(visit({header.kind, begin, payload}));
    position = begin + header.length;
  }
  return position;
}

}  // namespace

Result<Segment> Segment::Create(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640));
  if (!fd.valid()) return ErrnoError("create " + path, errno);
  Segment segment(std::move(fd), path, 0);
  segment.buffer_ = kMagic;
  return segment;
}

Result<Segment> Segment::Open(const std::string& path, const Visitor& visit) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path, kSegmentLimitBytes));
  if (!bytes.starts_with(kMagic)) {
    return InternalError("StateLost: " + path + " is not a state log of this version");
  }
  ASSIGN_OR_RETURN(const uint64_t end, Scan(bytes, path, visit));
  UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!fd.valid()) return ErrnoError("open " + path, errno);
  if (end < bytes.size() && ::ftruncate(fd.get(), static_cast<off_t>(end)) != 0) {
    return ErrnoError("cut torn tail of " + path, errno);
  }
  if (::lseek(fd.get(), 0, SEEK_END) < 0) return ErrnoError("seek " + path, errno);
  Segment segment(std::move(fd), path, end);
  RETURN_IF_ERROR(segment.Sync());
  return segment;
}

Result<uint64_t> Segment::Append(uint8_t kind, std::string_view payload) {
  if (payload.size() > std::numeric_limits<uint32_t>::max()) {
    return InternalError("record of " + std::to_string(payload.size()) +
                         " bytes is too large for " + path_);
  }
  const size_t head = buffer_.size();
  WireWriter out(&buffer_);
  out.U32(static_cast<uint32_t>(payload.size()));
  out.U8(kind);
  out.U32(HeadCheck(std::string_view(buffer_).substr(head)));
  out.U64(Check(kind, payload));
  const uint64_t offset = size();
  buffer_.append(payload);
  if (buffer_.size() >= kBufferBytes) RETURN_IF_ERROR(Flush());
  return offset;
}

Status Segment::Flush() {
  if (buffer_.empty()) return OkStatus();
  RETURN_IF_ERROR(WriteAll(fd_.get(), buffer_, path_));
  written_ += buffer_.size();
  buffer_.clear();
  return OkStatus();
}

Status Segment::Sync() {
  RETURN_IF_ERROR(Flush());
  RETURN_IF_ERROR(SyncFile(fd_.get(), path_));
  synced_ = written_;
  return OkStatus();
}

Result<std::string> Segment::Read(uint64_t offset, uint32_t length) const {
  std::string bytes(length, '\0');
  if (offset >= written_) {
    if (offset + length > size())
      return InternalError("StateLost: blob beyond the end of " + path_);
    return buffer_.substr(offset - written_, length);
  }
  size_t done = 0;
  while (done < length) {
    const ssize_t n =
        ::pread(fd_.get(), bytes.data() + done, length - done, static_cast<off_t>(offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return ErrnoError("read " + path_, errno);
    if (n == 0) return InternalError("StateLost: blob beyond the end of " + path_);
    done += static_cast<size_t>(n);
  }
  return bytes;
}

}  // namespace millrace::worker
