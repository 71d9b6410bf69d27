#include "operator/controller/owned_fields.h"

#include <simdjson.h>

#include <algorithm>
#include <string_view>

// fieldsV1 (structured-merge-diff, serialize.go): "f:name" is a member, "k:{...}" the element of a
// list with these keys, "v:..." an element of a set, "." the value itself; {} has nothing below.
namespace millrace::controller {
namespace {

using simdjson::SUCCESS;
using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::object;

bool Covers(const object& owned, const element& value);

bool IsEmpty(const object& owned) { return owned.begin() == owned.end(); }

// The element of a list has every key of the set's entry that it sets itself.
bool HasKeys(const element& item, std::string_view keys) {
  simdjson::dom::parser parser;
  object wanted;
  if (parser.parse(keys.data(), keys.size()).get(wanted) != SUCCESS) return false;
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& key) {
    element own;
    return item[key.key].get(own) != SUCCESS ||
           simdjson::minify(own) == simdjson::minify(key.value);
  });
}

bool CoversMembers(const object& owned, const object& value) {
  return std::all_of(value.begin(), value.end(), [&](const auto& member) {
    object below;
    if (owned["f:" + std::string(member.key)].get(below) != SUCCESS) return false;
    return Covers(below, member.value);
  });
}

bool CoversItem(const object& owned, const element& item) {
  for (const auto [name, entry] : owned) {
    object below;
    if (name.starts_with("v:")) return true;  // sets of values are compared by nobody
    if (!name.starts_with("k:") || entry.get(below) != SUCCESS) continue;
    if (HasKeys(item, name.substr(2))) return Covers(below, item);
  }
  return false;
}

bool Covers(const object& owned, const element& value) {
  if (IsEmpty(owned)) return true;
  object members;
  if (value.get(members) == SUCCESS) return CoversMembers(owned, members);
  array items;
  if (value.get(items) != SUCCESS) return true;
  return std::all_of(items.begin(), items.end(),
                     [&](const element& item) { return CoversItem(owned, item); });
}

// Members that name the object and belong to nobody.
bool IsName(std::string_view member) {
  return member == "name" || member == "namespace" || member == "uid" ||
         member == "resourceVersion";
}

}  // namespace

bool CoversApplied(const std::string& owned, const std::string& applied) {
  simdjson::dom::parser set_parser, applied_parser;
  object set, wanted;
  if (owned.empty() || set_parser.parse(owned).get(set) != SUCCESS ||
      applied_parser.parse(applied).get(wanted) != SUCCESS)
    return true;
  for (const auto [name, value] : wanted) {
    if (name == "apiVersion" || name == "kind") continue;
    object members, below;
    if (name != "metadata") {
      if (set["f:" + std::string(name)].get(below) != SUCCESS || !Covers(below, value))
        return false;
      continue;
    }
    if (value.get(members) != SUCCESS || set["f:metadata"].get(below) != SUCCESS) return false;
    for (const auto [member, content] : members) {
      object owned_member;
      if (IsName(member)) continue;
      if (below["f:" + std::string(member)].get(owned_member) != SUCCESS ||
          !Covers(owned_member, content))
        return false;
    }
  }
  return true;
}

}  // namespace millrace::controller
