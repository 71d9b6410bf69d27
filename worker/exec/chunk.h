#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace millrace::worker {

// What moves between stages. Knows its size and how to encode itself for another process, nothing
// else. Immutable once handed on; thread-safe to read.
class Chunk {
 public:
  virtual ~Chunk() = default;
  virtual size_t num_rows() const = 0;
  virtual size_t num_bytes() const = 0;
  virtual void Encode(std::string* out) const = 0;
};
using ChunkRef = std::shared_ptr<const Chunk>;

}  // namespace millrace::worker
