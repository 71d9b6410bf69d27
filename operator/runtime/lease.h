#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "crds/base/clock.h"
#include "operator/kube/api_answer.h"

namespace millrace::controller {

// A coordination.k8s.io/v1 Lease as the candidates see it. A value.
struct LeaseRecord {
  std::string holder;  // empty: released
  int64_t duration_seconds = 0;
  std::string acquired;  // RFC 3339 with microseconds
  std::string renewed;
  int64_t transitions = 0;
  std::string resource_version;  // empty: there is no lease yet
  bool operator==(const LeaseRecord&) const = default;
};

Result<LeaseRecord> ReadLease(const RawObject& object);
// The body of a create or replace.
std::string WriteLease(const std::string& ns, const std::string& name, const LeaseRecord& lease);

// What a candidate does about the lease it sees.
//   kTake   it is free, ours from before, or was not renewed for its duration
//   kRenew  we hold it
//   kWait   another holds it
enum class LeaseMove { kTake, kRenew, kWait };
// `unchanged_for`: how long this process has seen the very same record. Clocks of other machines
// do not count. Pure.
LeaseMove Decide(const LeaseRecord& lease, const std::string& identity, Duration unchanged_for);

}  // namespace millrace::controller
