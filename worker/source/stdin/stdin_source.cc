#include "worker/source/stdin/stdin_source.h"

#include <unistd.h>

#include <cerrno>

#include "crds/base/file.h"
#include "crds/base/log.h"
#include "worker/client/tcp.h"

namespace millrace::worker {
namespace {

constexpr size_t kReadBytes = 256 << 10;
constexpr Duration kPollTimeout = std::chrono::seconds(1);

}  // namespace

StdinSource::StdinSource(std::string name, int fd, Framing framing, bool has_header,
                         const SourceOptions& options)
    : PushSource(std::move(name), options), fd_(fd), framing_(framing), has_header_(has_header) {}

Status StdinSource::Begin() {
  if (has_header_ && !directory().empty()) {
    Result<std::string> kept = ReadFile(directory() + "/header", kMaxRecordBytes);
    if (kept.ok()) header_ = std::make_shared<std::string>(std::move(kept).value());
    if (!kept.ok() && kept.status().code() != StatusCode::kNotFound) return kept.status();
  }
  thread_ = std::jthread([this](std::stop_token stop) { Run(std::move(stop)); });
  return OkStatus();
}

void StdinSource::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void StdinSource::Decorate(RawRecords* records) const {
  if (!has_header_) return;
  const std::lock_guard lock(mutex_);
  if (!header_) return;
  records->header = *header_;
  records->owners.push_back(header_);
}

void StdinSource::Run(std::stop_token stop) {
  const Status status = ReadAll(stop);
  if (!status.ok() && !stop.stop_requested()) {
    Log(LogLevel::kError, "source ends early", {{"source", name()}, {"error", status.message()}});
  }
  SetEnded();
}

Status StdinSource::ReadAll(const std::stop_token& stop) {
  LineBuffer lines(framing_);
  std::vector<std::string_view> records;
  for (ssize_t n = 1; n > 0 && log().WaitForSpace(stop);) {
    if (!WaitReadable(fd_, kPollTimeout, stop)) {
      if (stop.stop_requested()) break;
      continue;
    }
    n = ::read(fd_, lines.Reserve(kReadBytes), kReadBytes);
    const bool again = n < 0 && (errno == EAGAIN || errno == EINTR);
    if (n < 0 && !again) return ErrnoError("read standard input", errno);
    RETURN_IF_ERROR(lines.Commit(again ? 0 : static_cast<size_t>(n), n == 0, &records));
    if (again) n = 1;
    RETURN_IF_ERROR(TakeHeader(&records));
    RETURN_IF_ERROR(log().Append(records));
  }
  return OkStatus();
}

Status StdinSource::TakeHeader(std::vector<std::string_view>* records) {
  if (!has_header_ || header_seen_ || records->empty()) return OkStatus();
  header_seen_ = true;
  auto header = std::make_shared<std::string>(records->front());
  records->erase(records->begin());
  {
    const std::lock_guard lock(mutex_);
    if (header_ && *header_ != *header && log().first() < log().end()) {
      return ConflictError("the header line differs from that of records not yet processed");
    }
    header_ = header;
  }
  if (directory().empty()) return OkStatus();
  return ReplaceFile(directory() + "/header", *header);
}

}  // namespace millrace::worker
