#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "crds/api/spec.h"

// What an edit of a job does, by the fields it touches. The one table of edit classes: the operator
// plans by it, and workers by it decide what they take over while they run.
namespace millrace::api {

// Ordered by strength: an edit has the class of the strongest of its fields.
enum class EditClass {
  kNone,
  kHot,    // taken over live
  kScale,  // changes the number of workers only
  kRoll,   // workers with the new spec replace the old ones at a batch boundary
  kFixed,  // refused for the life of the job
};

// Top-level field of spec -> digest of its value, defaults included. Every field has an entry.
using FieldDigests = std::map<std::string, std::string>;
FieldDigests DigestFields(const StreamingJobSpec& spec);

struct Edit {
  EditClass edit_class = EditClass::kNone;
  std::vector<std::string> fields;  // sorted
};

// What an edit does, from the digests of the spec that runs and of the one that is asked for. No
// digests of old: the first spec, no edit. Pure.
Edit Classify(const FieldDigests& old_fields, const FieldDigests& new_fields);
// The fields of `edit` that have that class.
std::vector<std::string> FieldsOf(const Edit& edit, EditClass edit_class);

// Whether what batches compute depends on the field: specs that agree in these do the same work.
// The place of the state is none of them.
bool DecidesWork(std::string_view field);
// The fields that decide the work, as text. Equal for specs that do the same work. Pure.
std::string WorkText(const StreamingJobSpec& spec);

// Gives `to` the hot fields of `from`.
void TakeHotFields(const StreamingJobSpec& from, StreamingJobSpec* to);

// The class of one top-level field; kRoll for one that this build does not know. Pure.
EditClass ClassOf(std::string_view field);

}  // namespace millrace::api
