#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "crds/api/spec.h"
#include "crds/base/clock.h"

namespace millrace::controller {

// The revisions of a job, from pass to pass.
//
//   a revision is   from                                    until
//   in force        the spec asks for it                    another one is, or it is refused
//   good            its workers committed a batch           another one is
//   refused         rollback.deadline ran out without one,  the spec asks for another revision, or
//                   or its workers failed too often         for no roll-back
// While the asked one is refused, the good one is in force.
struct RolloutRecord {
  static constexpr size_t kMaxHistory = 5;
  std::string revision;            // in force
  int64_t number = 0;              // of the roll-out that brought it; only ever grows
  std::optional<TimePoint> since;  // when its time began to run; none: it is good, or nothing runs
  std::string good;
  std::string refused;
  std::vector<std::string> history;  // once in force, newest last
  bool operator==(const RolloutRecord&) const = default;
};

struct RolloutFacts {
  std::string asked;                 // the revision of the spec
  int64_t generation = 0;            // of the spec
  std::string committed;             // the revision whose workers have committed; empty: not known
  bool runs = false;                 // workers are wanted; else the time stands still
  bool failed = false;               // the revision in force was given up
  std::optional<Duration> deadline;  // none: no roll-back
  bool may_return = false;           // the spec of `good` is at hand
};

// The record after the facts of a pass. Pure, and the same facts change nothing a second time.
RolloutRecord Advance(RolloutRecord record, const RolloutFacts& facts, TimePoint now);

// What happened to the refused revision, for the user. Requires: there is one.
std::string RefusedText(const RolloutRecord& record);

}  // namespace millrace::controller
