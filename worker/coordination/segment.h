#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "crds/base/file.h"
#include "crds/base/status.h"

namespace millrace::worker {

// One append-only file of framed, checksummed records: the embedded log (protocol section 14).
// File, version 1:  "MRLOG001" { length:u32 kind:u8 head:u32 check:u64 payload[length] }*,
// little-endian; head = low half of XXH3-64 of length and kind, so that a damaged length is told
// from a torn write; check = XXH3-64 of payload with kind as seed. Appends are buffered and reach
// the file by Flush or Sync. Loop thread only.
class Segment {
 public:
  struct Record {
    uint8_t kind = 0;
    uint64_t offset = 0;  // of the payload in the file
    std::string_view payload;
  };
  using Visitor = std::function<Status(const Record&)>;

  // Makes a new file; kAlreadyExists when it is there.
  static Result<Segment> Create(const std::string& path);
  // Opens a file, visits every record, and cuts a torn record off the very end. kInternal
  // "StateLost: ..." for damage elsewhere.
  static Result<Segment> Open(const std::string& path, const Visitor& visit);

  Segment(Segment&&) = default;
  Segment& operator=(Segment&&) = default;

  // Returns the offset of the payload. Fails only when a full buffer cannot be written.
  Result<uint64_t> Append(uint8_t kind, std::string_view payload);
  // Writes the buffer without making it durable.
  Status Flush();
  // Everything appended so far is durable on return. After a failure the segment must not be used:
  // the kernel may have dropped the data.
  Status Sync();
  Result<std::string> Read(uint64_t offset, uint32_t length) const;
  uint64_t size() const { return written_ + buffer_.size(); }
  bool synced() const { return synced_ == size(); }

 private:
  Segment(UniqueFd fd, std::string path, uint64_t size)
      : fd_(std::move(fd)), path_(std::move(path)), written_(size) {}

  UniqueFd fd_;
  std::string path_;
  uint64_t written_ = 0;
  uint64_t synced_ = 0;
  std::string buffer_;
};

}  // namespace millrace::worker
