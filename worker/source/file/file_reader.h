#pragma once

#include <memory>
#include <string>

#include "worker/data/format.h"
#include "worker/source/file/file_plan.h"
#include "worker/source/file/listing.h"
#include "worker/source/source.h"

namespace millrace::worker {

struct FileReaderOptions {
  Framing framing = Framing::kLines;
  bool has_header = false;  // the first record of each file names the columns
  bool wants_path = false;  // __path
  bool wants_line = false;  // __line
};

// Reads planned pieces of files in blocks of 256 KiB and hands out the records in them without
// copying. A record may span blocks (it is then copied once) up to kMaxRecordBytes. Checks before
// and after that a file is still the one that was planned. One per Read call; thread-compatible.
// Borrows listing and consumer. Errors: kGone ("SourceChanged: ...") when a file differs from its
// piece, kInvalid for damaged packed data and over-long records, and what the consumer returns.
class FileReader {
 public:
  FileReader(const FileReaderOptions& options, const FileListing* listing, RecordConsumer* consumer)
      : options_(options), listing_(listing), consumer_(consumer) {}

  Status Read(const FilePiece& piece);

 private:
  struct Block;
  class Bytes;
  struct State;  // of one piece

  Status CheckSame(const OpenedFile& file, const FilePiece& piece) const;
  Status FindHeader(const OpenedFile& file, State* state) const;
  Status ReadBlocks(Bytes* bytes, State* state);
  Status HandOut(std::string_view consumed, std::vector<std::string_view> records, State* state);
  void NumberLines(std::string_view consumed, const std::vector<std::string_view>& records,
                   State* state, RawRecords* raw) const;
  void AddHidden(const State& state, RawRecords* raw) const;

  const FileReaderOptions options_;
  const FileListing* const listing_;
  RecordConsumer* const consumer_;
  int64_t index_ = 0;  // of the next record in the range
};

}  // namespace millrace::worker
