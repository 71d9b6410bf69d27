#pragma once

#include <string_view>

#include "crds/api/diagnostic.h"
#include "crds/api/node.h"
#include "crds/base/status.h"

namespace millrace::api {

inline constexpr size_t kMaxManifestBytes = size_t{1} << 20;
inline constexpr size_t kMaxManifestNodes =
    100'000;  // after aliases are replaced by what they stand for
inline constexpr int kMaxManifestDepth = 64;

// The tree of one YAML (or JSON) document, or the error that stopped the reading and its place.
struct YamlDocument {
  Node root;
  Status status;
  Position error_position;
  bool empty = false;  // no document, or only comments
};

// Reads exactly one document. Aliases are replaced by copies within the node limit; merge keys stay
// members named "<<". Never throws. The adapter to yaml-cpp, and the only file that knows it, is
// yaml_reader.cc.
YamlDocument ReadYaml(std::string_view text);

}  // namespace millrace::api
