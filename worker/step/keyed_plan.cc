#include "worker/step/keyed_plan.h"

#include <utility>

#include "crds/base/text.h"
#include "worker/step/column_tools.h"

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

EncodedKeys::EncodedKeys(std::vector<int> columns, std::vector<Type> types)
    : columns_(std::move(columns)), encoder_(columns_) {
  if (types.empty()) return;
  std::vector<Field> fields;
  std::vector<int> positions;
  for (size_t i = 0; i < types.size(); ++i) {
    fields.push_back({"key" + std::to_string(i), types[i]});
    positions.push_back(static_cast<int>(i));
  }
  schema_ = std::make_shared<Schema>(std::move(fields));
  encoder_ = KeyEncoder(std::move(positions));
}

void EncodedKeys::Encode(const RecordBatch& batch) {
  arena_ = std::make_unique<Arena>();
  if (schema_ != nullptr) {
    std::vector<ColumnRef> columns;
    for (size_t i = 0; i < columns_.size(); ++i) {
      columns.push_back(AsRequired(batch.column_ref(columns_[i]), (*schema_)[i].type));
    }
    typed_ = RecordBatch(schema_, std::move(columns), batch.num_rows());
  }
  if (columns_.empty()) {
    keys_.assign(batch.num_rows(), std::string_view());
  } else {
    encoder_.Encode(schema_ == nullptr ? batch : typed_, arena_.get(), &keys_);
  }
  hashes_.resize(keys_.size());
  for (size_t i = 0; i < keys_.size(); ++i) hashes_[i] = HashKey(keys_[i]);
}

}  // namespace millrace::worker
