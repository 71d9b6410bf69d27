#pragma once

#include <optional>
#include <string>

#include "worker/source/factory.h"
#include "worker/source/file/file_planner.h"
#include "worker/source/file/file_reader.h"
#include "worker/source/source.h"

namespace millrace::worker {

// Reads the files of a directory or glob once each, or follows them as they grow. A partition is a
// lane; its `to` counts the bytes planned so far and its proof names the files and byte ranges. The
// cursor holds what was read by identity (inode, size, mtime), so a renamed file is not read again
// and a new file under an old name is. See Source for threads and errors; Start returns kInvalid
// for paths that are refused.
class FileSource final : public Source {
 public:
  FileSource(const api::FileSource& spec, const FileReaderOptions& reading);

  int num_partitions() const override { return kFileLanes; }
  Status Start(const SourcePosition& position) override;
  Result<SourceOffer> Offer(const OfferRequest& request) override;
  Status Read(const PartitionRange& range, RecordConsumer* consumer) override;

 private:
  Result<const FileCursor*> CursorOf(const std::string& text);

  const api::FileSource spec_;
  const FileReaderOptions reading_;
  std::optional<FileListing> listing_;
  std::optional<FilePlanner> planner_;
  std::string initial_cursor_;  // stands for an empty cursor
  std::string cached_text_;     // the cursor last decoded
  FileCursor cached_;
};

}  // namespace millrace::worker
