#pragma once

#include <map>
#include <string>
#include <vector>

#include "operator/reconcile/world.h"

namespace millrace::controller {

// Top-level field of spec -> digest of its value, defaults included.
using FieldDigests = std::map<std::string, std::string>;
FieldDigests DigestFields(const api::StreamingJobSpec& spec);

struct Edit {
  EditClass edit_class = EditClass::kNone;  // the strongest of its fields
  std::vector<std::string> fields;          // sorted
};

// What an edit does, from the digests of the spec that runs and of the one that is asked for. A
// field this build does not know counts as kRoll. Hot fields that workers read come to them with a
// new job file, so by a roll. No digests of old: the first spec, no edit. Pure.
Edit Classify(const FieldDigests& old_fields, const FieldDigests& new_fields);

// The class of one top-level field.
EditClass ClassOf(const std::string& field);

}  // namespace millrace::controller
