#pragma once

#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "crds/base/clock.h"
#include "worker/client/compression.h"
#include "worker/data/format.h"
#include "worker/expr/program.h"
#include "worker/sink/file/file_name.h"
#include "worker/sink/file/staged_file.h"
#include "worker/sink/projection.h"
#include "worker/sink/sink.h"

namespace millrace::worker {

struct FileSinkOptions {
  std::string path;
  std::string stream;
  Codec codec = Codec::kNone;
  ProgramRef path_expr;    // null: all files directly in `path`
  Clock* clock = nullptr;  // outlives the sink
  std::stop_token stop;    // ends the wait for slot 0
};

// Files of one stream below a folder, exactly once.
//   <path>/_staging/<generation>/   files that are being written
//   <path>/[folder/]<data file>     see DataFileName; appears by rename, complete and synced; never
//   replaced <path>/_committed               {"batch": N}: readers take data files of batches <= N
//   and skip names with "_" or "." in front
// Guarantee: a name is written at most once, so a replayed batch adds only the files that are
// missing. Open of slot 0 renames the staging folders of other generations away, after which their
// writers can publish nothing more, and then creates that of its own, for which other slots wait;
// nobody else creates one. Slot 0 alone replaces `_committed`. The ledger is the names: a batch is
// refused when a file of it under another digest exists. Rows that cannot be encoded are reported
// on every delivery, also for files that exist. Thread-compatible; blocks on the file system.
// Errors, always with the path: kAborted when fenced by a newer generation or stopped; kUnavailable
// (retryable: disk full, I/O error) from Deliver and Committed, and for a slot 0 that does not
// come; kInternal for the same from Open; kInvalid for a folder that cannot be one. Nothing is half
// visible.
class FileSink final : public Sink {
 public:
  FileSink(FileSinkOptions options, Projection projection, std::unique_ptr<Encoder> encoder);

  Status Open(const SinkSeat& seat) override;
  Result<SinkLedger> ReadLedger() override;
  void Skip(const SinkLedger& delivered) override;
  Status Deliver(const SinkBatch& batch, const std::vector<SinkPart>& parts,
                 std::vector<RejectedRow>* rejected) override;
  Status Committed(int64_t batch) override;

 private:
  // Rows of one part that go to one folder ("" is `path` itself), batch by batch, already
  // projected.
  using FolderRows = std::map<std::string, std::vector<RecordBatch>>;
  struct Staged {
    std::unique_ptr<StagedFile> file;
    std::string folder;
    std::string target;
    DataFileName name;
  };

  struct BatchName {
    int64_t number = 0;
    std::string digest;
  };

  // Makes the staging folder of this generation the only one that files can be renamed from.
  Status TakeStaging();
  Status FenceOthers();
  Status RemoveFenced();
  Status AwaitStaging();
  Status Scan(const std::string& folder, int depth);
  Status ReadCommitted();
  Status WriteCommitted(int64_t batch);
  Status OtherHistory(int64_t batch, const std::string& found, const std::string& wanted) const;
  FolderRows Route(const SinkPart& part, std::vector<RejectedRow>* rejected) const;
  Status WriteParts(const BatchName& batch, const std::vector<SinkPart>& parts,
                    std::vector<RejectedRow>* rejected);
  Status WriteFile(const DataFileName& name, const std::string& folder,
                   const std::vector<RecordBatch>& rows, std::vector<RejectedRow>* rejected);
  Status EncodeInto(const std::vector<RecordBatch>& rows, const std::string* staging_path,
                    std::unique_ptr<StagedFile>* file, std::vector<RejectedRow>* rejected);
  Status MakeFolder(const std::string& folder);
  Status PublishPending();
  Status SyncFolders();

  FileSinkOptions options_;
  Projection projection_;
  std::unique_ptr<Encoder> encoder_;
  std::string extension_;
  SinkSeat seat_;
  std::string staging_;
  int64_t committed_ = 0;  // what `_committed` says
  int64_t whole_ = 0;      // batches up to this one are there; readers may have removed their files
  std::map<int64_t, std::set<std::string>> digests_;    // of files beyond the committed batch
  std::map<int64_t, std::set<std::string>> published_;  // paths of the same files
  std::map<int64_t, std::set<SinkTask>> tasks_;         // whose files were there at Open
  std::set<std::string> folders_;                       // known to exist
  std::set<std::string> unsynced_;                      // have names that a crash may still take
  std::vector<Staged> pending_;
  int64_t next_staged_ = 0;
};

}  // namespace millrace::worker
