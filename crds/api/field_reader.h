#pragma once

#include <string>
#include <vector>

#include "crds/api/diagnostic.h"
#include "crds/api/fields.h"
#include "crds/api/misspelt.h"
#include "crds/api/node.h"

namespace millrace::api {

// Reads the members of one node into the object that Describe names, noting every fault at its
// path. Faults leave the member at its default; names that break a rule are kept, so that
// references to them still resolve. A misspelt member is one error and is then read as the field
// that is meant. Refers to everything it is given. Thread-compatible; lives for
// one object.
class FieldReader final : public Fields {
 public:
  FieldReader(const Node& node, std::string path, Diagnostics* diagnostics, SourceMap* positions);

  void OnText(const Field& field, TextSlot slot) override;
  void OnInt(const Field& field, IntSlot slot) override;
  void OnDouble(const Field& field, DoubleSlot slot) override;
  void OnBool(const Field& field, BoolSlot slot) override;
  void OnStrings(const Field& field, StringsSlot slot) override;
  void OnStringMap(const Field& field, StringMapSlot slot) override;
  void OnObject(const Field& field, ObjectSlot slot) override;
  void OnList(const Field& field, ListSlot slot) override;
  void OnObjectMap(const Field& field, ObjectMapSlot slot) override;
  void OnUnion(const Field& field, UnionSlot slot) override;
  void OneOf(std::vector<std::string> names, bool required) override;

  // Reads all that `describe` names; refuses other members, and a node that is no object.
  void Read(const Describer& describe);
  // Members that are allowed but not read. Before Read.
  void Ignore(std::vector<std::string> names);

 private:
  void Finish();
  // Lets what stands under `member` be blamed under the name of the field that it is read as.
  void Alias(const std::string& name, const Node::Member& member);
  // The node of the field; none when it is absent (an error where required).
  const Node* Take(const Field& field);
  std::string PathOf(std::string_view name) const;
  void Error(std::string path, std::string message);
  bool Expect(const Node& node, Node::Kind kind, std::string_view expected,
              const std::string& path);
  // The text of a scalar that must be a string; none after an error.
  bool TakeString(const Node& node, TextRule::Plain plain, const std::string& path);
  bool CheckKey(const Node& key, const TextRule& rule, const std::string& path);
  bool CheckCount(size_t count, size_t min, size_t max, std::string_view things,
                  const std::string& path);
  void ReadUnion(const Node& node, const std::string& path, const UnionSlot& slot);
  std::string UnknownMember(std::string_view name) const;

  const Node& node_;
  std::string path_;
  Diagnostics* diagnostics_;
  SourceMap* positions_;
  std::vector<std::string> known_;
  MeantMembers meant_;                // misspelt ones, by the name that is meant
  std::vector<std::string> choices_;  // of the union whose alternatives stand beside the members
  bool whole_ = false;                // the value itself was read: it need not be an object
  bool choice_missing_ = false;
};

// "unknown value ...; did you mean ...": the tail that suggests a name, or lists all of a few.
std::string SuggestName(std::string_view name, std::span<const std::string> known);

}  // namespace millrace::api
