#include "crds/api/overrides.h"

#include <algorithm>

#include "crds/api/field_reader.h"
#include "crds/api/yaml_reader.h"
#include "crds/base/text.h"

namespace millrace::api {
namespace {

void ForgetPositions(Node* node) {
  node->position = {};
  for (Node& item : node->items) ForgetPositions(&item);
  for (Node::Member& member : node->members) {
    member.key.position = {};
    ForgetPositions(&member.value);
  }
}

// "spec.sources[0].name" -> spec, sources, 0, name.
Result<std::vector<std::string>> SplitPath(std::string_view path) {
  std::vector<std::string> parts;
  for (std::string_view part : Split(path, '.')) {
    const size_t bracket = part.find('[');
    parts.emplace_back(part.substr(0, bracket));
    if (parts.back().empty())
      return InvalidError(
          "a name is missing in the path; use for example spec.sources.lines.format");
    if (bracket == std::string_view::npos) continue;
    part.remove_prefix(bracket);
    while (!part.empty()) {
      const size_t end = part.find(']');
      if (part.front() != '[' || end == std::string_view::npos || end == 1) {
        return InvalidError(
            "the path has an index that is not closed; use for example spec.sources[0].name");
      }
      parts.emplace_back(part.substr(1, end - 1));
      part.remove_prefix(end + 1);
    }
  }
  return parts;
}

Result<Node*> FindItem(Node* list, const std::string& part) {
  const bool index = part.size() < 6 && part.find_first_not_of("0123456789") == std::string::npos;
  if (index) {
    const size_t at = std::stoul(part);
    if (at < list->items.size()) return &list->items[at];
    return InvalidError("no item [" + part + "]; the list has " +
                        std::to_string(list->items.size()));
  }
  std::vector<std::string> names;
  for (Node& item : list->items) {
    const Node* name = item.Find("name");
    if (name == nullptr) continue;
    if (name->text == part) return &item;
    names.push_back(name->text);
  }
  return InvalidError("no item is named \"" + Excerpt(part) + "\"" + SuggestName(part, names));
}

Result<Node*> Step(Node* node, const std::string& part) {
  if (node->kind == Node::Kind::kList) return FindItem(node, part);
  if (node->kind != Node::Kind::kObject) {
    *node = Node{};
    node->kind = Node::Kind::kObject;
  }
  if (Node* member = node->Find(part)) return member;
  Node key;
  key.kind = Node::Kind::kScalar;
  key.text = part;
  node->members.push_back({std::move(key), Node{}});
  return &node->members.back().value;
}

Status Apply(const Override& change, Node* root) {
  YamlDocument value = ReadYaml(change.value);
  RETURN_IF_ERROR(value.status.WithContext("the value"));
  ASSIGN_OR_RETURN(const std::vector<std::string> parts, SplitPath(change.path));
  if (static_cast<int>(parts.size()) > kMaxManifestDepth)
    return InvalidError("the path is too deep");
  Node* node = root;
  for (const std::string& part : parts) {
    ASSIGN_OR_RETURN(node, Step(node, part));
  }
  *node = std::move(value.root);
  ForgetPositions(node);
  return OkStatus();
}

}  // namespace

void ApplyOverrides(std::span<const Override> overrides, Node* root, Diagnostics* diagnostics) {
  for (const Override& change : overrides) {
    const Status status = Apply(change, root);
    if (!status.ok()) AddError(diagnostics, Excerpt(change.path), "--set: " + status.message());
  }
}

}  // namespace millrace::api
