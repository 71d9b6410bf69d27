#pragma once

#include <string>

#include "worker/data/column.h"

namespace millrace::worker {

// One value as a person reads it: strings as they are but escaped, timestamps RFC 3339, durations
// "1m30s", containers as JSON, null as "null".
std::string CellText(const Column& column, size_t row);

}  // namespace millrace::worker
