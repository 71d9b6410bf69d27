#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crds/crd/tree.h"

namespace millrace::crd {

// One rule between fields that the API server checks.
struct Rule {
  std::string_view where = {};  // path of the object; "*.window.count" is any path that ends so
  std::string cel;              // over `self`, and `oldSelf` for what an edit must not change
  std::string message;          // names the member to blame
};

// All rules between fields that need neither the graph of streams nor the types of records. What
// they refuse `millrace check` refuses too, or it cannot run in a cluster; the operator checks the
// rest. Thread-safe; lives as long as the process.
const std::vector<Rule>& Rules();

// Those of the object at `path`.
std::vector<Rule> RulesAt(std::string_view path);

// Whether a rule refuses all that could stand at `path`: this version does not run it, or it does
// not fit there. Such a part takes any members, so that the answer is the rule's message.
bool IsRefused(std::string_view path);

// An element of x-kubernetes-validations.
Tree MakeRule(const Rule& rule);

}  // namespace millrace::crd
