#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crds/base/status.h"

namespace millrace::worker {

// First record of an exported job.
struct StateFileHeader {
  std::string ns;
  std::string job;
  std::string job_id;
  int64_t groups = 0;  // key groups: they decide where blobs are kept
  int64_t batch = 0;   // the commit that the file holds
  std::string generation;
  std::string exported_at;  // RFC 3339
};

// A key of the job: a hash (field, value) or a sorted set (member, score).
struct JobKeyRecord {
  std::string suffix;  // what follows J
  bool sorted_set = false;
  std::vector<std::pair<std::string, std::string>> items;
};

// A part of a blob of a key group.
struct BlobRecord {
  int64_t group = 0;
  std::string suffix;  // what follows the group's key and ":"
  int64_t batch = 0;
  std::string value;
};

// Writes an exported job; the format is at the top of state_file.cc. The file has its name only
// when it is complete and on disk, and never replaces another. Thread-compatible. Errors:
// kAlreadyExists; kInternal of the file system.
class StateFileWriter {
 public:
  static Result<std::unique_ptr<StateFileWriter>> Create(const std::string& path);
  // Removes what was written unless Finish was called.
  ~StateFileWriter();
  StateFileWriter(const StateFileWriter&) = delete;
  StateFileWriter& operator=(const StateFileWriter&) = delete;

  Status Write(const StateFileHeader& header);
  Status Write(const JobKeyRecord& key);
  Status Write(const BlobRecord& blob);
  Status Finish();
  int64_t blobs() const { return blobs_; }
  int64_t bytes() const { return bytes_; }

 private:
  struct Close {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  StateFileWriter(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}
  Status Frame(std::string_view payload);

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  int64_t records_ = 0;
  int64_t blobs_ = 0;
  int64_t bytes_ = 0;
  bool finished_ = false;
};

// What to do with the records of a file, in its order; an error ends the reading.
struct StateFileVisitor {
  std::function<Status(const StateFileHeader&)> header;
  std::function<Status(JobKeyRecord)> key;
  std::function<Status(BlobRecord)> blob;
};
// Visits every record. A record is visited only when its checksum holds, but the end is not known
// by then: read a file once without visitors' effects before trusting it. Errors: kNotFound;
// kInvalid for a file that is damaged, cut, of another version or none of ours.
Status ReadStateFile(const std::string& path, const StateFileVisitor& visitor);

}  // namespace millrace::worker
