#pragma once

#include <span>
#include <string>
#include <string_view>

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"
#include "crds/base/status.h"

namespace millrace::api {

// A manifest that was read. `job` is usable only when `diagnostics` has no error; with errors of
// shape, members that could not be read have their defaults, and `job` serves to find further
// errors if it is `readable`.
struct JobDocument {
  StreamingJob job;
  bool readable = false;  // false: no YAML, no StreamingJob, or too damaged to say more about it
  SourceMap positions;
  Diagnostics diagnostics;
  Diagnostics shape_errors;  // those of `diagnostics` about values that could not be read and
                             // fields that do not exist
};

// One `path=value` override of `millrace run --set`; the value is YAML.
struct Override {
  std::string path;
  std::string value;
};

// Reads one StreamingJob from YAML or JSON and checks all that needs no type checker: shape, units,
// ranges, names, unions, references, rules between fields. Reports every error of the text in one
// pass, never stops at the first. Limits: 1 MiB of text, depth 64, 100,000 nodes after aliases.
// Never throws.
JobDocument ParseJob(std::string_view text, std::span<const Override> overrides = {});

// The job as JSON with every default filled in, keys in the order of the reference; reads back as
// an equal job.
std::string ToJson(const StreamingJob& job);

}  // namespace millrace::api
