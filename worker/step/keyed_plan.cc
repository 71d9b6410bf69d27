#include "worker/step/keyed_plan.h"

#include "crds/base/text.h"

namespace millrace::worker {

bool ResolveKey(const StepEnv& env, const Schema& schema, const std::vector<std::string>& names,
                const std::string& member, KeyPlan* key) {
  key->names = names;
  key->columns = ResolveFields(env, schema, names, member);
  for (const int column : key->columns) key->types.push_back(schema[column].type);
  key->units = names.empty() ? 1 : env.groups;
  return key->columns.size() == names.size();
}

std::vector<FieldUse> KeyUses(const KeyPlan& key) {
  std::vector<FieldUse> uses;
  for (const std::string& name : key.names) uses.push_back({{name}, false});
  return uses;
}

std::string KeyText(const KeyPlan& key) {
  return key.names.empty() ? "everything" : Join(key.names, ", ");
}

std::string TypesText(const std::vector<Type>& types) {
  std::vector<std::string> texts;
  for (const Type& type : types) texts.push_back(type.ToString());
  return Join(texts, ", ");
}

void EncodedKeys::Encode(const RecordBatch& batch) {
  arena_ = std::make_unique<Arena>();
  if (keyless_) {
    keys_.assign(batch.num_rows(), std::string_view());
  } else {
    encoder_.Encode(batch, arena_.get(), &keys_);
  }
  hashes_.resize(keys_.size());
  for (size_t i = 0; i < keys_.size(); ++i) hashes_[i] = HashKey(keys_[i]);
}

}  // namespace millrace::worker
