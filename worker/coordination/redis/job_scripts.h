#pragma once

#include <string_view>

namespace millrace::worker {

// The scripts of protocol section 3 in Lua. KEYS[1] is the job's base key J; the other keys of the
// job begin with it and share its hash tag. Every script checks before it writes, returns {code,
// detail, ...} and compares nothing as a number but batch ids, epochs and fences, which stay below
// 2^53.
//
//   J:job      format specGen specHash slots halt suspectBatch suspectDigest lastPlan
//   J:lease    token epoch holder address beat released
//   J:members  member -> record (encoded)
//   J:gen      name fence specHash slots open data (encoded)
//   J:ready    slot -> 1, of the generation in J:gen
//   J:plan     batch -> bytes     J:plan.d  batch -> digest     J:plan.s  batch -> spec hash
//   J:prepared:<G>:<batch>        slot -> report
//   J:spec     specHash -> record of the spec: the job's and that of the commit (spec_edit.h)
//   J:commit   batch digest generation record reports delivering specHash
//   J:offsets  field -> value
struct JobScript {
  std::string_view name;
  std::string_view text;
};

extern const JobScript kInitScript;
extern const JobScript kReadScript;
extern const JobScript kAcquireScript;
extern const JobScript kRenewScript;
extern const JobScript kReleaseScript;
extern const JobScript kBeatScript;
extern const JobScript kHaltScript;
extern const JobScript kNewGenerationScript;
extern const JobScript kReadyScript;
extern const JobScript kOpenScript;
extern const JobScript kPlanScript;
extern const JobScript kDeliverScript;
extern const JobScript kAmendScript;
extern const JobScript kPreparedScript;
extern const JobScript kCommitScript;
extern const JobScript kReadOffsetsScript;
extern const JobScript kReadReportsScript;

}  // namespace millrace::worker
