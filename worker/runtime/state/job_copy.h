#pragma once

#include <cstdint>
#include <stop_token>
#include <string>
#include <vector>

#include "crds/base/clock.h"
#include "worker/runtime/cluster/job_redis.h"

namespace millrace::worker {

// What a copy of a job is made from or put into.
struct CopyOptions {
  const JobRedis* redis = nullptr;
  int64_t groups = 0;               // key groups of the job
  std::vector<std::string> tables;  // whose versions plans may name
  TimePoint now;
};

struct CopySize {
  int64_t batch = 0;  // last committed one
  int64_t blobs = 0;
  int64_t bytes = 0;  // export: of the file; import: of the blobs
};

// Writes everything that the last commit reaches, with the plans behind it, to a new file: the
// job's keys are read in one step of Redis, and blobs never change, so the job may run meanwhile.
// Members, the workers' secret and uncommitted reports are left out. Blocking. Errors: kNotFound
// without the job; kAlreadyExists for the file; kInternal "StateLost: ..." for blobs that are gone
// or damaged; of client and file system.
Result<CopySize> ExportJob(const CopyOptions& options, const std::string& path,
                           const std::stop_token& stop);

// Puts an exported job into a Redis that has none of its name, after every byte of the file was
// checked; blobs first, then the job's keys in one step. May be repeated after a failure. Blocking.
// Errors: kAlreadyExists for the job; kInvalid for a damaged file or one of another job; of client
// and file system.
Result<CopySize> ImportJob(const CopyOptions& options, const std::string& path,
                           const std::stop_token& stop);

}  // namespace millrace::worker
