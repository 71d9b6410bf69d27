#include "operator/resources/build.h"
#include "operator/resources/job_file.h"
#include "operator/resources/json_parts.h"

// One immutable ConfigMap for each revision: pods of the old revision keep their file while the new
// ones start, and a pod that is replaced comes back with the file it had.
namespace millrace::controller {

Object BuildConfigMap(const api::StreamingJob& job) {
  const std::string file = JobFile(job);
  const std::string name = ChildName(job.metadata.name, RevisionOf(file));
  return MakeObject(job.metadata, {.key = {Kind::kConfigMap, name}}, [&](JsonWriter* out) {
    Flag(out, "immutable", true);
    TextMap(out, "data", {{std::string(kJobFileName), file}});
  });
}

}  // namespace millrace::controller
