#pragma once

#include <string>

namespace millrace::controller {

// Whether `owned`, the fieldsV1 of a manager, covers all that `applied` sets: every member of the
// object but apiVersion, kind and the names in its metadata. When another manager changes or
// removes a field, it leaves the set of the one that applied it. Lists that are merged by key have
// their elements in the set, others stand in it as a whole. True where the set is unknown (empty)
// or cannot be read. Pure.
bool CoversApplied(const std::string& owned, const std::string& applied);

}  // namespace millrace::controller
