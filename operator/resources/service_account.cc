#include "operator/resources/build.h"
#include "operator/resources/json_parts.h"

// An account without rights and without a token: workers never call the API server.
namespace millrace::controller {

Object BuildServiceAccount(const api::StreamingJob& job) {
  const std::string name = ChildName(job.metadata.name, "workers");
  return MakeObject(job.metadata, {.key = {Kind::kServiceAccount, name}},
                    [&](JsonWriter* out) { Flag(out, "automountServiceAccountToken", false); });
}

}  // namespace millrace::controller
