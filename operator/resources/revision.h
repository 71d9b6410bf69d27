#pragma once

#include <string>

#include "crds/api/edit_class.h"
#include "crds/api/spec.h"

// Revisions: what of a spec pods must be replaced for.
namespace millrace::controller {

// Names a revision: ten hex digits of the SHA-256 of all fields whose edit replaces pods or is
// refused. Specs that differ in hot fields, workers or suspend have the same one. Pure.
std::string RevisionOf(const api::StreamingJobSpec& spec);
// The same from digests that are known already.
std::string RevisionOf(const api::FieldDigests& digests);

// `spec` with all that its revision does not name at the defaults. Pure.
api::StreamingJobSpec SnapshotOf(const api::StreamingJobSpec& spec);
// The spec of `snapshot` with hot fields, workers and suspend as `asked` has them. Pure.
api::StreamingJobSpec Returned(const api::StreamingJobSpec& snapshot,
                               const api::StreamingJobSpec& asked);

}  // namespace millrace::controller
