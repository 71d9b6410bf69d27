#pragma once

#include <optional>
#include <string>

#include "crds/base/clock.h"
#include "worker/runtime/job_file.h"

namespace millrace::worker {

// The options of `millrace worker`.
struct WorkerOptions {
  JobFileRequest file;
  std::string secrets_directory;
  std::string listen = "127.0.0.1:0";  // where other workers reach this one
  std::string advertise;               // host by which they do, when it is another
  std::string member;                  // name; default: host name
  std::string job_id;                  // overrides spec.state.id
  Duration lease = std::chrono::seconds(10);
  Duration grace = std::chrono::seconds(60);
  int threads = 0;  // 0: one per core
  std::string metrics_address;
  bool accept_redis_loss = false;
};

}  // namespace millrace::worker
