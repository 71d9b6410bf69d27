#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "crds/base/file.h"

namespace millrace::worker {

// Stands between a client and a server on 127.0.0.1 and does to their bytes what a bad network
// does. Thread-safe; stops with the object.
class TcpProxy {
 public:
  explicit TcpProxy(int server_port);
  ~TcpProxy();

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  // Passes requests on, keeps the replies from now on.
  void HoldReplies() { hold_replies_ = true; }
  // The next request reaches the server; its reply and the connection are lost.
  void CutAfterRequest() { cut_after_request_ = true; }
  void PassAll() { hold_replies_ = false; }

 private:
  void Accept(const std::stop_token& stop);
  void Serve(UniqueFd client, const std::stop_token& stop);

  const int server_port_;
  UniqueFd listener_;
  int port_ = 0;
  std::atomic<bool> hold_replies_{false};
  std::atomic<bool> cut_after_request_{false};
  std::vector<std::jthread> connections_;  // of the accepting thread
  std::jthread thread_;
};

}  // namespace millrace::worker
