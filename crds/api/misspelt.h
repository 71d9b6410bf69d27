#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "crds/api/fields.h"
#include "crds/api/node.h"

namespace millrace::api {

// Members of a node by the name that their author meant.
using MeantMembers = std::map<std::string, const Node::Member*, std::less<>>;

// The names of an object's members as Describe lists them, and those of a union that stands beside
// them.
struct FieldNames {
  std::vector<std::string> fields;
  std::vector<std::string> choices;
};
FieldNames NamesOf(const Describer& describe);

// Which members of `node` stand for one of `fields` that it lacks, under a name close to it; they
// can be read as those, so that one wrong letter is one error. `known`: names that mean something
// else. Pure; refers to `node`.
MeantMembers FindMisspelt(const Node& node, const FieldNames& names,
                          std::span<const std::string> known);

}  // namespace millrace::api
