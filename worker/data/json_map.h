#pragma once

#include "worker/data/column.h"

namespace millrace::worker {

// Of equal keys among the elements of `map` behind its last finished row only the last stays: keys
// are unique within a row, and the last member of a name counts. Linear in the elements.
void KeepLastOfEqualKeys(Column* map);

}  // namespace millrace::worker
