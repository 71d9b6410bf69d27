#pragma once

#include <string_view>

namespace millrace {

// Kills the process (SIGKILL) at a named step of a batch's life when the environment asks for it:
// MILLRACE_FAILPOINT=<name>[:<count>] dies the <count>-th time (default 1) the step is reached.
// Thread-safe. Costs one relaxed load when unset. For crash tests; see tests/crash.
void Failpoint(std::string_view name);

}  // namespace millrace
