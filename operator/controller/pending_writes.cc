#include "operator/controller/pending_writes.h"

#include <algorithm>

namespace millrace::controller {

void PendingWrites::Expect(const std::string& job, const std::string& object,
                           const std::string& version, MonotonicTime now) {
  const std::lock_guard lock(mutex_);
  writes_[job][object] = {version, now + kPatience};
}

void PendingWrites::Seen(const std::string& job, const std::string& object,
                         const std::string& version) {
  const std::lock_guard lock(mutex_);
  const auto of_job = writes_.find(job);
  if (of_job == writes_.end()) return;
  const auto write = of_job->second.find(object);
  if (write == of_job->second.end()) return;
  if (!version.empty() && write->second.version != version) return;
  of_job->second.erase(write);
  if (of_job->second.empty()) writes_.erase(of_job);
}

Duration PendingWrites::Wait(const std::string& job, MonotonicTime now) {
  const std::lock_guard lock(mutex_);
  const auto of_job = writes_.find(job);
  if (of_job == writes_.end()) return Duration(0);
  std::erase_if(of_job->second, [&](const auto& entry) { return entry.second.until <= now; });
  Duration longest{0};
  for (const auto& [object, write] : of_job->second) longest = std::max(longest, write.until - now);
  if (of_job->second.empty()) writes_.erase(of_job);
  return longest;
}

}  // namespace millrace::controller
