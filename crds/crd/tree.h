#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace millrace::crd {

// A JSON value whose objects keep the order of their members, to build a manifest with and print
// it. Never fails; a name that is set twice keeps its place and takes the new value. A value,
// freely copied; thread-compatible.
class Tree {
 public:
  using Member = std::pair<std::string, Tree>;

  Tree() = default;  // {}
  Tree(std::string_view text) : value_(std::string(text)) {}
  Tree(const std::string& text) : value_(text) {}
  Tree(const char* text) : value_(std::string(text)) {}
  Tree(int64_t value) : value_(value) {}
  Tree(int value) : value_(int64_t{value}) {}
  Tree(size_t value) : value_(static_cast<int64_t>(value)) {}
  Tree(double value) : value_(value) {}
  Tree(bool value) : value_(value) {}
  Tree(std::initializer_list<Member> members);
  static Tree List(std::vector<Tree> items = {});

  // Requires: an object, and a list for Add.
  Tree& Set(std::string_view name, Tree value);
  void Add(Tree item);
  // Sets all members of an object.
  Tree& Merge(const Tree& other);

  // The member, or null; also null where this is no object.
  const Tree* Find(std::string_view name) const;
  // Its members or items; empty for anything else.
  const std::vector<Member>& members() const;
  const std::vector<Tree>& items() const;
  // Its text; empty for anything else.
  std::string_view text() const;
  bool empty() const { return members().empty() && items().empty(); }

  std::string ToJson() const;
  // YAML in block style. Strings that YAML 1.1 or 1.2 could read as something else are quoted.
  std::string ToYaml() const;

 private:
  void WriteYaml(size_t indent, std::string* out) const;
  std::string Scalar() const;

  std::variant<std::vector<Member>, std::vector<Tree>, std::string, int64_t, double, bool> value_;
};

}  // namespace millrace::crd
