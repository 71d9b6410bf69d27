#include "worker/schedule/cluster/own_spec.h"

#include "crds/api/edit_class.h"
#include "worker/schedule/batch_planner.h"

namespace millrace::worker {

OwnSpec OwnSpecOf(const api::StreamingJob& job, const JobPlan& plan) {
  OwnSpec own;
  own.generation = job.metadata.generation;
  own.hash = SpecHashOf(job);
  for (const auto& [field, digest] : api::DigestFields(job.spec)) {
    if (api::DecidesWork(field)) own.record.fields[field] = digest;
  }
  own.record.shape = plan.shape;
  own.allow_state_loss = job.spec.upgrade.allow_state_loss;
  own.groups = static_cast<int>(job.spec.max_parallelism);
  return own;
}

}  // namespace millrace::worker
