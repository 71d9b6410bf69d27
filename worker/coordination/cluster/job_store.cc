#include "worker/coordination/cluster/job_store.h"

namespace millrace::worker {

std::string_view StoreCodeName(StoreCode code) {
  switch (code) {
    case StoreCode::kOk:
      return "ok";
    case StoreCode::kLost:
      return "lost";
    case StoreCode::kHalted:
      return "halted";
    case StoreCode::kSuspect:
      return "suspect";
    case StoreCode::kStale:
      return "stale";
    case StoreCode::kNotCurrent:
      return "not current";
    case StoreCode::kRefused:
      return "refused";
    case StoreCode::kUnavailable:
      return "unavailable";
    case StoreCode::kUnknown:
      return "unknown";
  }
  return "";
}

}  // namespace millrace::worker
