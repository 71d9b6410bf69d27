#pragma once

#include <string>

#include "crds/base/status.h"

namespace millrace::worker {

// Where the kubelet reads how a container ended, into the status of its pod.
inline constexpr const char* kLastWordsFile = "/dev/termination-log";

// Leaves word of how the worker ended to whoever looks at its pod, since nobody can ask it any
// more: "completed" when the job has ended, "failed: " and the message when the worker failed, of
// at most 2048 bytes; nothing when it was asked to stop. Writes to a file that is there and makes
// none, so it does nothing outside of Kubernetes. Errors are left aside.
void LeaveLastWords(const Status& status, bool asked_to_stop,
                    const std::string& path = kLastWordsFile);

}  // namespace millrace::worker
