#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"
#include "worker/client/compression.h"
#include "worker/source/file/listing.h"

namespace millrace::worker {

// The first bytes of a followed file: tells a rewritten file from a grown one.
struct FileHead {
  static constexpr size_t kMaxBytes = 64;
  uint64_t bytes = 0;
  uint64_t hash = 0;
};

// A run of whole records of one file, as a plan names it.
struct FilePiece {
  std::string path;
  FileId id;
  uint64_t from = 0;
  uint64_t to = 0;
  int64_t lines_before = -1;  // -1: not counted
  Codec codec = Codec::kNone;
  bool follow = false;  // the file may have grown since
  FileHead head;        // only with follow
};

// The proof of a partition's range: base64 of the wire form, version 1.
std::string EncodePieces(const std::vector<FilePiece>& pieces);
// kGone on text that no EncodePieces wrote.
Result<std::vector<FilePiece>> DecodePieces(std::string_view text);

// A file of which a part is read: one too large for a batch, or one that is followed.
struct OpenEntry {
  std::string path;
  FileId id;  // as of the last plan that read from it
  uint64_t offset = 0;
  int64_t lines = 0;  // before offset; -1: not counted
  FileHead head;
};

// Which files a file source has planned so far. Bounded by the number of files that are there, plus
// kKeepGone that no longer are (a folder that comes back after an outage of its server is not read
// again). A value.
struct FileCursor {
  static constexpr size_t kKeepGone = 10'000;

  std::vector<uint64_t> seen;  // sorted FileId::Hash of files read in full and still listed
  std::vector<uint64_t> gone;  // of those no longer listed, latest last
  std::vector<OpenEntry> open;

  bool HasSeen(uint64_t hash) const;
  // Sorts hashes by whether `listed` (sorted) still holds them, and forgets the oldest gone ones.
  void Settle(const std::vector<uint64_t>& listed, const std::vector<uint64_t>& done);
  std::string Encode() const;
  static Result<FileCursor> Decode(std::string_view text);
};

}  // namespace millrace::worker
