#pragma once

#include <memory>
#include <string>

#include "crds/base/status.h"

namespace re2 {
class RE2;
}

namespace millrace::worker {

// kInvalid with RE2's own words when the pattern does not compile.
Result<std::unique_ptr<re2::RE2>> CompilePattern(const std::string& pattern);

}  // namespace millrace::worker
