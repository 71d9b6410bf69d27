#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "worker/step/step.h"

namespace millrace::worker {

// Key of a keyed step, resolved against one input. A value; thread-safe.
struct KeyPlan {
  std::vector<std::string> names;
  std::vector<int> columns;
  std::vector<Type> types;
  int units = 1;  // 1 for an empty key
};

// Resolves `<env.path>.<member>`; false, with errors, for unknown fields.
bool ResolveKey(const StepEnv& env, const Schema& schema, const std::vector<std::string>& names,
                const std::string& member, KeyPlan* key);
std::vector<FieldUse> KeyUses(const KeyPlan& key);
// "user, day"; "everything" for no key.
std::string KeyText(const KeyPlan& key);
// "string, int?": types belong to the shape of state.
std::string TypesText(const std::vector<Type>& types);

// Encoded keys of a batch with their hashes; views into this object and the batch. Scratch, reused
// from batch to batch.
class EncodedKeys {
 public:
  // With `types` the columns are encoded as these, so that inputs that differ in nullability encode
  // alike; nulls as zero values.
  explicit EncodedKeys(std::vector<int> columns, std::vector<Type> types = {});
  void Encode(const RecordBatch& batch);
  const std::vector<std::string_view>& keys() const { return keys_; }
  const std::vector<uint64_t>& hashes() const { return hashes_; }

 private:
  std::vector<int> columns_;
  SchemaRef schema_;  // of `typed_`; nullptr: columns are encoded as they are
  KeyEncoder encoder_;
  RecordBatch typed_;
  std::unique_ptr<Arena> arena_;
  std::vector<std::string_view> keys_;
  std::vector<uint64_t> hashes_;
};

// MakeRowWriter over keys of given types.
std::unique_ptr<ExchangeWriter> MakeRowWriter(EncodedKeys keys, int groups);

}  // namespace millrace::worker
