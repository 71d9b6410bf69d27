#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "crds/base/clock.h"
#include "crds/base/status.h"

namespace millrace::controller {

// The bearer token of a service account, which its file gets anew about every hour. Read again when
// kMaxAge has passed or the server refused the last one; while the file cannot be read the last one
// stays. Thread-safe. `clock` must outlive it.
class Token {
 public:
  static constexpr Duration kMaxAge = std::chrono::seconds(50);

  // Without a file the token is `fixed`, which may be empty.
  Token(const Clock* clock, std::string file, std::string fixed)
      : clock_(clock), file_(std::move(file)), value_(std::move(fixed)) {}

  // Blocks on the file. The error of reading it only if there never was a token.
  Result<std::string> Get();
  // The server refused `token`: the next Get reads the file.
  void Refused(const std::string& token);

 private:
  const Clock* clock_;
  const std::string file_;
  std::mutex mutex_;
  std::string value_;                  // guarded by mutex_
  std::optional<MonotonicTime> read_;  // guarded by mutex_
};

}  // namespace millrace::controller
