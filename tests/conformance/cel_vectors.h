#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"
#include "worker/expr/value.h"

namespace millrace::worker {

// A named input of a vector.
struct CelBinding {
  std::string name;
  Value value;
};

// One expression and what it must give. Format: "cel-vectors/1", see the header of the files.
struct CelVector {
  std::string id;
  std::string expr;
  bool unchecked = false;  // evaluated without type-checking
  bool fails = false;      // an error is expected
  Value value;
  std::vector<CelBinding> bindings;
};

// Vectors of one file, with the memory of their values. Thread-compatible.
class CelVectors {
 public:
  // kInvalid names what is wrong with the file.
  static Result<CelVectors> Read(const std::string& path);
  const std::vector<CelVector>& all() const { return vectors_; }

 private:
  std::unique_ptr<ValueArena> arena_ = std::make_unique<ValueArena>();
  std::vector<CelVector> vectors_;
};

}  // namespace millrace::worker
