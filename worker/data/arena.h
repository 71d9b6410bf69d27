#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace millrace::worker {

// Bump allocator for the bytes that string columns point into. Memory is freed all at once with the
// last reference. Every block has kPadding readable bytes behind what was allocated (simdjson reads
// past the end). Thread-compatible while filling; read-only use from any thread afterwards.
class Arena {
 public:
  static constexpr size_t kPadding = 64;
  static constexpr size_t kFirstBlockBytes = 512;
  explicit Arena(size_t block_bytes = 64 << 10) : block_bytes_(block_bytes) {}
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Uninitialised bytes, aligned to 1. Never fails short of out-of-memory.
  char* Allocate(size_t bytes) {
    if (bytes > left_) Grow(bytes);
    char* result = next_;
    next_ += bytes;
    left_ -= bytes;
    used_ += bytes;
    return result;
  }
  std::string_view Copy(std::string_view bytes) {
    if (bytes.empty()) return {};
    char* target = Allocate(bytes.size());
    std::memcpy(target, bytes.data(), bytes.size());
    return {target, bytes.size()};
  }
  // Gives back the last `bytes` of the latest Allocate.
  void Return(size_t bytes) {
    next_ -= bytes;
    left_ += bytes;
    used_ -= bytes;
  }
  size_t used_bytes() const { return used_; }

 private:
  void Grow(size_t bytes) {
    // Small at first: keyed state has very many tables of a few keys, each with an arena.
    const size_t next = blocks_.size() < 16 ? kFirstBlockBytes << blocks_.size() : block_bytes_;
    const size_t size = std::max(bytes, std::min(next, block_bytes_));
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(size + kPadding));
    next_ = blocks_.back().get();
    left_ = size;
  }

  size_t block_bytes_;
  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  size_t left_ = 0;
  size_t used_ = 0;
};

}  // namespace millrace::worker
