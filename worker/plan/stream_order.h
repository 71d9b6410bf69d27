#pragma once

#include <string>
#include <vector>

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"

namespace millrace::worker {

// Indexes of spec.streams such that each stream comes after those it reads: by `from`, union, join,
// and tables that are fed by streams (look-ups need their types). A cycle is an error that prints
// it; its streams are left out.
std::vector<int> OrderStreams(const api::StreamingJob& job, api::Diagnostics* diagnostics);

}  // namespace millrace::worker
