#pragma once

#include <string>

#include "crds/base/clock.h"
#include "worker/runtime/job_file.h"

namespace millrace::worker {

// The options of `millrace state`.
struct StateOptions {
  std::string action;  // ls, show, resume, reset, export, import
  std::string path;    // of export and import
  JobFileRequest file;
  std::string secrets_directory;
  std::string job_id;  // overrides spec.state.id
  bool json = false;
  bool yes = false;
  Duration lease = std::chrono::seconds(10);  // silence after which a worker counts as gone
};

}  // namespace millrace::worker
