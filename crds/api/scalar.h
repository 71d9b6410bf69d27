#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "crds/api/node.h"
#include "crds/base/status.h"

namespace millrace::api {

// One reading of numbers and booleans, whatever the YAML version of the writer's other tools: what
// they would read differently (010, 0o10, 1_000, yes) is refused with the spelling to use.
Result<int64_t> ParseInteger(const Node& node, int64_t min, int64_t max);
Result<double> ParseDecimal(const Node& node, double min, double max);
Result<bool> ParseBool(const Node& node);

// "Fail, Skip or DeadLetter".
std::string OneOfList(std::span<const std::string> names);

}  // namespace millrace::api
