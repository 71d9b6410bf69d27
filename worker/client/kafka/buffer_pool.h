#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <string_view>
#include <vector>

namespace millrace::worker {

// Memory of at least `size` + kKafkaPadding bytes, not initialised. Copies share it; the last one
// gives it back.
struct KafkaBuffer {
  std::shared_ptr<char> data;
  size_t size = 0;
  std::string_view view() const { return {data.get(), size}; }
};

// Keeps the memory of responses for the next ones: fresh memory of that size would cost a page
// fault per 4 KiB. Holds at most kMaxKeptBytes; what is beyond is freed. Thread-safe. Buffers keep
// the pool alive.
class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  static constexpr size_t kMaxKeptBytes = 64u << 20;

  static std::shared_ptr<BufferPool> Create() {
    return std::shared_ptr<BufferPool>(new BufferPool);
  }

  // The padding is zero.
  KafkaBuffer Take(size_t size);
  size_t kept_bytes() const;

 private:
  struct Block {
    std::unique_ptr<char[]> memory;
    size_t capacity = 0;
  };

  BufferPool() = default;
  Block TakeBlock(size_t needed);
  void Return(Block block);

  mutable std::mutex mutex_;
  std::vector<Block> free_;  // guarded by mutex_
  size_t kept_bytes_ = 0;    // guarded by mutex_
};

}  // namespace millrace::worker
