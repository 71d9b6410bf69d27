#include "crds/api/misspelt.h"

#include <algorithm>

#include "crds/base/text.h"

namespace millrace::api {
namespace {

constexpr size_t kMaxGuesses = 20;  // of one object; no author misspells more

// Lists the names of one object's members and looks at nothing below them.
class NameCollector final : public Fields {
 public:
  void OnText(const Field& field, TextSlot) override { Add(field); }
  void OnInt(const Field& field, IntSlot) override { Add(field); }
  void OnDouble(const Field& field, DoubleSlot) override { Add(field); }
  void OnBool(const Field& field, BoolSlot) override { Add(field); }
  void OnStrings(const Field& field, StringsSlot) override { Add(field); }
  void OnStringMap(const Field& field, StringMapSlot) override { Add(field); }
  void OnObject(const Field& field, ObjectSlot) override { Add(field); }
  void OnList(const Field& field, ListSlot) override { Add(field); }
  void OnObjectMap(const Field& field, ObjectMapSlot) override { Add(field); }
  void OnUnion(const Field& field, UnionSlot slot) override {
    Add(field);
    if (!field.name.empty()) return;
    for (const Choice& choice : slot.choices) names_.choices.emplace_back(choice.name);
  }
  void OneOf(std::vector<std::string>, bool) override {}

  FieldNames Take() { return std::move(names_); }

 private:
  void Add(const Field& field) {
    if (!field.name.empty()) names_.fields.emplace_back(field.name);
  }

  FieldNames names_;
};

}  // namespace

FieldNames NamesOf(const Describer& describe) {
  NameCollector collector;
  describe(collector);
  return collector.Take();
}

MeantMembers FindMisspelt(const Node& node, const FieldNames& names,
                          std::span<const std::string> known) {
  std::vector<std::string> all(known.begin(), known.end());
  all.insert(all.end(), names.fields.begin(), names.fields.end());
  all.insert(all.end(), names.choices.begin(), names.choices.end());
  const auto contains = [](const std::vector<std::string>& list, const std::string& name) {
    return std::find(list.begin(), list.end(), name) != list.end();
  };
  MeantMembers meant;
  size_t guesses = 0;
  for (const Node::Member& member : node.members) {
    if (contains(all, member.key.text)) continue;
    if (++guesses > kMaxGuesses) break;
    const std::optional<std::string> near = ClosestName(member.key.text, all);
    if (!near || !contains(names.fields, *near) || node.Find(*near) != nullptr) continue;
    meant.emplace(*near, &member);
  }
  return meant;
}

}  // namespace millrace::api
