#pragma once

#include <span>

#include "crds/api/codec.h"
#include "crds/api/node.h"

namespace millrace::api {

// Puts each override's value into the tree, creating objects on the way; elements of a list are
// named by index ("sources[0]") or by their name ("sources.lines"). Overridden values have no
// position. Faults stand at the override's path.
void ApplyOverrides(std::span<const Override> overrides, Node* root, Diagnostics* diagnostics);

}  // namespace millrace::api
