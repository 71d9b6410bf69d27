#pragma once

#include <string>
#include <thread>

#include "worker/source/line_buffer.h"
#include "worker/source/push_source.h"

namespace millrace::worker {

// Connects to host:port and reads records, one a line, into the push log. Connects again after
// `reconnect_delay` whenever the peer closes or fails; what the peer sent before a clean close is
// kept, a record cut by a failure is dropped. While the log is full nothing is read, so that the
// peer feels it. Threads and errors: see PushSource.
class SocketSource final : public PushSource {
 public:
  SocketSource(std::string name, const api::SocketSource& spec, Framing framing,
               const SourceOptions& options);
  ~SocketSource() override { Stop(); }
  void Stop() override;

 private:
  Status Begin() override;
  void Run(std::stop_token stop);
  // Reads until the connection ends; the Status says why.
  Status ReadAll(int socket, const std::stop_token& stop);
  Status Store(const std::vector<std::string_view>& records, const std::stop_token& stop);

  const api::SocketSource spec_;
  const Framing framing_;
  std::jthread thread_;
};

}  // namespace millrace::worker
