#pragma once

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"

namespace millrace::api {

// All rules between the fields of a job that need no types of expressions; each part is one subject
// and one file. `positions` tells which fields the manifest gave. Pure.
void Validate(const StreamingJob& job, const SourceMap& positions, Diagnostics* out);

void ValidateNames(const StreamingJob& job, const SourceMap& positions, Diagnostics* out);
void ValidateGraph(const StreamingJob& job, Diagnostics* out);
void ValidateDeadLetters(const StreamingJob& job, Diagnostics* out);
void ValidateSteps(const StreamingJob& job, Diagnostics* out);
void ValidateWindows(const StreamingJob& job, Diagnostics* out);
void ValidateUpdates(const StreamingJob& job, Diagnostics* out);
void ValidateSources(const StreamingJob& job, Diagnostics* out);
void ValidateTables(const StreamingJob& job, Diagnostics* out);
void ValidateSinks(const StreamingJob& job, Diagnostics* out);
void ValidatePaths(const StreamingJob& job, Diagnostics* out);
void ValidateOperations(const StreamingJob& job, const SourceMap& positions, Diagnostics* out);

}  // namespace millrace::api
