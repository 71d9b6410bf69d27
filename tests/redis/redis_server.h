#pragma once

#include <sys/types.h>

#include <string>
#include <utility>
#include <vector>

namespace millrace::worker {

// A folder that goes away with the object.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  const std::string& path() const { return path_; }
  // Writes <folder>/<name>, making folders on the way, readable by the owner only.
  void Write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

// A redis-server process on a free port of 127.0.0.1, with a folder of its own. Dies with the
// object. Thread-compatible.
class RedisServer {
 public:
  // Command line options, without the leading "--": {{"appendonly", "yes"}}.
  using Options = std::vector<std::pair<std::string, std::string>>;

  // False where no redis-server is installed: tests that need one are skipped.
  static bool Installed();
  // A port that nobody listens on now, for a second listener of a server.
  static int FreePort();
  // Dies (the test's process) when a server does not come up in time.
  explicit RedisServer(Options options = {}, bool sentinel = false);
  ~RedisServer();
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  const std::string& folder() const { return folder_.path(); }
  // Kills with SIGKILL and waits for the end.
  void Kill();
  // Starts again on the same port and folder, and waits until it answers.
  void Start();

 private:
  bool Launch();

  ScratchFolder folder_;
  Options options_;
  bool sentinel_;
  int port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace millrace::worker
