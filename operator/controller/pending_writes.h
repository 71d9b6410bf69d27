#pragma once

#include <map>
#include <mutex>
#include <string>

#include "crds/base/clock.h"

namespace millrace::controller {

// Own writes that the caches have not shown yet. A pass over a job with one of them would decide on
// old facts, so it waits, for kPatience at most (a relist can jump over a version). Versions are
// compared for equality only. Thread-safe.
class PendingWrites {
 public:
  static constexpr Duration kPatience = std::chrono::seconds(10);

  // `object` ("Deployment/ns/name") of `job` was written and got `version`.
  void Expect(const std::string& job, const std::string& object, const std::string& version,
              MonotonicTime now);
  // A cache holds `version` of `object`, or an object of any version is gone (empty).
  void Seen(const std::string& job, const std::string& object, const std::string& version);
  // How long a pass over `job` has to wait for a cache; zero: not at all.
  Duration Wait(const std::string& job, MonotonicTime now);

 private:
  struct Write {
    std::string version;
    MonotonicTime until;
  };
  std::mutex mutex_;
  std::map<std::string, std::map<std::string, Write>> writes_;  // guarded by mutex_
};

}  // namespace millrace::controller
