#pragma once

#include <string>
#include <thread>

#include "worker/source/line_buffer.h"
#include "worker/source/push_source.h"

namespace millrace::worker {

// Reads records, one a line, from a descriptor (standard input) into the push log and ends with it;
// the last line counts with or without line break. With `has_header` the first record names the
// columns and is kept beside the log, so that records of an earlier run still in the log keep
// theirs. Threads and errors: see PushSource.
class StdinSource final : public PushSource {
 public:
  // `fd` is not owned.
  StdinSource(std::string name, int fd, Framing framing, bool has_header,
              const SourceOptions& options);
  ~StdinSource() override { Stop(); }
  void Stop() override;

 private:
  Status Begin() override;
  void Decorate(RawRecords* records) const override;
  void Run(std::stop_token stop);
  Status ReadAll(const std::stop_token& stop);
  // Takes the first record out of `records` when it is the header; kConflict when an earlier run
  // had another one.
  Status TakeHeader(std::vector<std::string_view>* records);

  const int fd_;
  const Framing framing_;
  const bool has_header_;
  bool header_seen_ = false;  // the reading thread's
  mutable std::mutex mutex_;
  std::shared_ptr<const std::string> header_;  // under mutex_
  std::jthread thread_;
};

}  // namespace millrace::worker
