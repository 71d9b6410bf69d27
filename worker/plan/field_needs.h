#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "worker/data/type.h"
#include "worker/expr/program.h"

namespace millrace::worker {

// Which parts of a record are needed: the whole of it, or some fields and parts of them. A value.
class FieldNeeds {
 public:
  static FieldNeeds All();

  bool all() const { return all_; }
  bool Needs(const std::string& name) const { return all_ || fields_.contains(name); }
  void AddAll() { all_ = true; }
  void AddField(const std::string& name) { fields_[name].all_ = true; }
  void AddUse(const FieldUse& use);
  void AddUses(const std::vector<FieldUse>& uses);
  void Add(const FieldNeeds& other);
  void Remove(const std::string& name) { fields_.erase(name); }
  // Needs inside one struct field; empty when the field is not needed.
  FieldNeeds Inside(const std::string& name) const;
  // `schema` without the fields, and struct members, that are not needed. A struct of which only
  // presence is needed keeps its first member, so that it stays a struct.
  Schema Prune(const Schema& schema) const;

 private:
  void AddPath(const std::vector<std::string>& path, size_t from, bool presence_only);
  Type PruneType(const Type& type) const;

  bool all_ = false;
  std::map<std::string, FieldNeeds> fields_;
};

}  // namespace millrace::worker
