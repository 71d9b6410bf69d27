#include "worker/plan/field_needs.h"

#include <utility>

namespace millrace::worker {

FieldNeeds FieldNeeds::All() {
  FieldNeeds needs;
  needs.all_ = true;
  return needs;
}

void FieldNeeds::AddPath(const std::vector<std::string>& path, size_t from, bool presence_only) {
  if (from == path.size()) {
    all_ = all_ || !presence_only;
    return;
  }
  fields_[path[from]].AddPath(path, from + 1, presence_only);
}

void FieldNeeds::AddUse(const FieldUse& use) { AddPath(use.path, 0, use.presence_only); }

void FieldNeeds::AddUses(const std::vector<FieldUse>& uses) {
  for (const FieldUse& use : uses) AddUse(use);
}

void FieldNeeds::Add(const FieldNeeds& other) {
  all_ = all_ || other.all_;
  for (const auto& [name, needs] : other.fields_) fields_[name].Add(needs);
}

FieldNeeds FieldNeeds::Inside(const std::string& name) const {
  if (all_) return All();
  const auto it = fields_.find(name);
  return it == fields_.end() ? FieldNeeds() : it->second;
}

Schema FieldNeeds::Prune(const Schema& schema) const {
  if (all_) return schema;
  std::vector<Field> kept;
  for (const Field& field : schema.fields()) {
    const auto it = fields_.find(field.name);
    if (it != fields_.end()) kept.push_back({field.name, it->second.PruneType(field.type)});
  }
  return Schema(std::move(kept));
}

Type FieldNeeds::PruneType(const Type& type) const {
  if (all_ || type.kind() != Kind::kStruct) return type;
  std::vector<Field> kept;
  for (const Field& member : type.fields()) {
    const auto it = fields_.find(member.name);
    if (it != fields_.end()) kept.push_back({member.name, it->second.PruneType(member.type)});
  }
  if (kept.empty()) kept.push_back(type.fields().front());
  const Type pruned = Type::Struct(std::move(kept));
  return type.nullable() ? pruned.AsNullable() : pruned;
}

}  // namespace millrace::worker
