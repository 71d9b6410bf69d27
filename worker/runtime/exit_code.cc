#include "worker/runtime/exit_code.h"

namespace millrace::worker {

int ExitCodeOf(const Status& status) {
  switch (status.code()) {
    case StatusCode::kOk:
      return kExitOk;
    case StatusCode::kAborted:
      return kExitFenced;
    case StatusCode::kNotFound:
      return kExitNotFound;
    case StatusCode::kDeadline:
      return kExitTimeout;
    case StatusCode::kInvalid:
    case StatusCode::kAlreadyExists:
    case StatusCode::kConflict:
    case StatusCode::kGone:
    case StatusCode::kUnavailable:
    case StatusCode::kInternal:
      return kExitFailed;
  }
  return kExitFailed;
}

}  // namespace millrace::worker
