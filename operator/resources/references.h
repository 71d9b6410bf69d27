#pragma once

#include <set>
#include <string>

#include "crds/api/spec.h"

namespace millrace::controller {

// Objects of the job's own namespace that its sources, tables, models, sinks and state name. They
// are names only: no field of a job can hold a namespace. Sorted, so that what is built from them
// is the same each time.
struct References {
  std::set<std::string> secrets;
  std::set<std::string> config_maps;
};

// Found by walking the members that the manifest describes, so a new field with a `secretName` or a
// `configMapKeyRef` is found too. Volumes of spec.pod are not among them. Pure.
References FindReferences(const api::StreamingJobSpec& spec);

}  // namespace millrace::controller
