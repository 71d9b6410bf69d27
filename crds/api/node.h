#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "crds/api/diagnostic.h"

namespace millrace::api {

// One value of a manifest before it has a meaning: a scalar as it is written, a list or an object.
// Values own their children; freely copied, thread-compatible.
struct Node {
  enum class Kind { kNull, kScalar, kList, kObject };
  enum class Style { kPlain, kQuoted, kBlock };
  struct Member;

  const Node* Find(std::string_view name) const;
  Node* Find(std::string_view name);

  Kind kind = Kind::kNull;
  Style style = Style::kPlain;
  std::string text;  // of a scalar or null, without quotes
  std::vector<Node> items;
  std::vector<Member> members;  // in order of the text; duplicates are kept for the error
  Position position;
  size_t size = 1;  // nodes in this tree
};

struct Node::Member {
  Node key;
  Node value;
};

// True for plain text that some YAML reader takes for a boolean, null or number, so that its author
// must quote it.
bool ReadsAsOtherType(const Node& node);
bool ReadsAsNumber(std::string_view text);
// "the string \"x\"", "the number 5", "true", "null", "a list", "an object": for messages.
std::string DescribeNode(const Node& node);

}  // namespace millrace::api
