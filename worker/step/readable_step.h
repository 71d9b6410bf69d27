#pragma once

#include <memory>
#include <string>
#include <vector>

#include "worker/step/step.h"

namespace millrace::worker {

// A keyed step whose state can be read as rows while the job runs, from what is stored of it.
// Immutable, thread-safe.
class ReadableStep {
 public:
  virtual ~ReadableStep() = default;
  // Of the key, in the order of its encoding; both empty without a key.
  virtual const std::vector<std::string>& key_names() const = 0;
  virtual const std::vector<Type>& key_types() const = 0;
  // An operator to read one unit with: restore it with Apply and Settle, then one Run with nothing
  // arriving appends every row that the state holds, key fields first. Nullptr when this state is
  // none, or not readable. The step outlives it.
  virtual std::unique_ptr<KeyedOperator> MakeReader() const = 0;
};

}  // namespace millrace::worker
