#include <algorithm>

#include "operator/resources/build.h"
#include "operator/resources/json_parts.h"
#include "operator/resources/pod_template.h"
#include "operator/resources/revision.h"

namespace millrace::controller {
namespace {
constexpr int64_t kRetries = 6;
}  // namespace

Object BuildCleanupJob(const api::StreamingJob& job, const BuildOptions& options) {
  const PodRole role{
      .component = Component::kCleanup,
      .container = "cleanup",
      .arguments = {"state", "reset", "--job",
                    std::string(kJobFolder) + "/" + std::string(kJobFileName), "--job-id",
                    StateId(job), "--secrets", std::string(kSecretsFolder), "--yes"},
      .restart_policy = "Never",
      .revision = RevisionOf(job.spec),
      .serves = false};
  const auto timeout = std::chrono::ceil<std::chrono::seconds>(job.spec.deletion.timeout).count();
  const std::string name = ChildName(job.metadata.name, "cleanup");
  const ObjectHead head{.key = {Kind::kCleanupJob, name}, .component = Component::kCleanup};
  return MakeObject(job.metadata, head, [&](JsonWriter* out) {
    Group(out, "spec", [&] {
      Number(out, "backoffLimit", kRetries);
      Number(out, "activeDeadlineSeconds", std::max<int64_t>(1, timeout));
      Group(out, "template", [&] { WritePodTemplate(out, job, options, role); });
    });
  });
}

}  // namespace millrace::controller
