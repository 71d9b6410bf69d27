#pragma once

#include "crds/base/status.h"

namespace millrace::worker {

// Exit codes of the `millrace` command (docs/cli.md).
inline constexpr int kExitOk = 0;
inline constexpr int kExitFailed = 1;    // the job or command failed while running
inline constexpr int kExitUsage = 2;     // wrong flag, argument or job file
inline constexpr int kExitFenced = 3;    // another process took the job over
inline constexpr int kExitNotFound = 4;  // a named file or object does not exist
inline constexpr int kExitTimeout = 5;
inline constexpr int kExitInterrupted = 130;  // second Ctrl-C

int ExitCodeOf(const Status& status);

}  // namespace millrace::worker
