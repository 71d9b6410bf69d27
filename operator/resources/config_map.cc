#include "operator/resources/build.h"
#include "operator/resources/job_file.h"
#include "operator/resources/json_parts.h"

// One ConfigMap for each revision: pods of the old revision keep their file while the new ones
// start, and a pod that is replaced comes back with the file it had. Within a revision only hot
// fields change, which workers take over from the mounted file while they run.
namespace millrace::controller {

Object BuildConfigMap(const api::StreamingJob& job, const std::string& revision) {
  const std::string name = ChildName(job.metadata.name, revision);
  return MakeObject(job.metadata, {.key = {Kind::kConfigMap, name}}, [&](JsonWriter* out) {
    TextMap(out, "data", {{std::string(kJobFileName), JobFile(job)}});
  });
}

}  // namespace millrace::controller
