#include "crds/crd/tree.h"

#include <algorithm>

#include "crds/base/json_writer.h"
#include "crds/base/overloaded.h"

namespace millrace::crd {
namespace {

void WriteJson(const Tree& tree, const auto& value, JsonWriter* out) {
  std::visit(Overloaded{[&](const std::vector<Tree::Member>&) {
                          out->BeginObject();
                          for (const auto& [name, member] : tree.members()) {
                            out->Key(name);
                            out->Raw(member.ToJson());
                          }
                          out->EndObject();
                        },
                        [&](const std::vector<Tree>&) {
                          out->BeginArray();
                          for (const Tree& item : tree.items()) out->Raw(item.ToJson());
                          out->EndArray();
                        },
                        [&](const std::string& text) { out->String(text); },
                        [&](int64_t number) { out->Int(number); },
                        [&](double number) { out->Double(number); },
                        [&](bool truth) { out->Bool(truth); }},
             value);
}

// Words that begin with a letter and hold nothing that YAML gives a meaning, and are no boolean or
// null of YAML 1.1.
bool IsPlain(std::string_view text) {
  constexpr std::string_view kSigns = " -_./,'()>%;";
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  if (text.empty() || !letter(text.front()) || text.back() == ' ') return false;
  for (const char c : text) {
    if (!letter(c) && !(c >= '0' && c <= '9') && kSigns.find(c) == std::string_view::npos)
      return false;
  }
  constexpr std::string_view kWords[] = {"true", "false", "yes", "no",  "on", "off",
                                         "null", "y",     "n",   "inf", "nan"};
  std::string lower(text);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return std::find(std::begin(kWords), std::end(kWords), lower) == std::end(kWords);
}

std::string Key(const std::string& name) {
  if (IsPlain(name)) return name;
  JsonWriter json;
  json.String(name);
  return json.Take();
}

}  // namespace

Tree::Tree(std::initializer_list<Member> members) {
  for (const Member& member : members) Set(member.first, member.second);
}

Tree Tree::List(std::vector<Tree> items) {
  Tree list;
  list.value_ = std::move(items);
  return list;
}

Tree& Tree::Set(std::string_view name, Tree value) {
  auto& members = std::get<std::vector<Member>>(value_);
  const auto found = std::find_if(members.begin(), members.end(),
                                  [&](const Member& member) { return member.first == name; });
  if (found != members.end()) {
    found->second = std::move(value);
  } else {
    members.emplace_back(name, std::move(value));
  }
  return *this;
}

Tree& Tree::Merge(const Tree& other) {
  for (const auto& [name, value] : other.members()) Set(name, value);
  return *this;
}

void Tree::Add(Tree item) { std::get<std::vector<Tree>>(value_).push_back(std::move(item)); }

const Tree* Tree::Find(std::string_view name) const {
  for (const auto& [key, value] : members()) {
    if (key == name) return &value;
  }
  return nullptr;
}

const std::vector<Tree::Member>& Tree::members() const {
  static const std::vector<Member> kNone;
  const auto* found = std::get_if<std::vector<Member>>(&value_);
  return found == nullptr ? kNone : *found;
}

const std::vector<Tree>& Tree::items() const {
  static const std::vector<Tree> kNone;
  const auto* found = std::get_if<std::vector<Tree>>(&value_);
  return found == nullptr ? kNone : *found;
}

std::string_view Tree::text() const {
  const auto* found = std::get_if<std::string>(&value_);
  return found == nullptr ? std::string_view() : std::string_view(*found);
}

std::string Tree::ToJson() const {
  JsonWriter out;
  WriteJson(*this, value_, &out);
  return out.Take();
}

std::string Tree::Scalar() const { return IsPlain(text()) ? std::string(text()) : ToJson(); }

void Tree::WriteYaml(size_t indent, std::string* out) const {
  const std::string margin(indent, ' ');
  for (const auto& [name, member] : members()) {
    *out += margin + Key(name) + ":";
    if (member.empty()) {
      *out += " " + member.Scalar() + "\n";
    } else {
      *out += "\n";
      member.WriteYaml(indent + 2, out);
    }
  }
  for (const Tree& item : items()) {
    if (item.empty()) {
      *out += margin + "- " + item.Scalar() + "\n";
      continue;
    }
    std::string block;
    item.WriteYaml(indent + 2, &block);
    block.replace(indent, 2, "- ");
    *out += block;
  }
}

std::string Tree::ToYaml() const {
  std::string out;
  WriteYaml(0, &out);
  return out;
}

}  // namespace millrace::crd
