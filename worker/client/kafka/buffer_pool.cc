#include "worker/client/kafka/buffer_pool.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "worker/client/kafka/records.h"

namespace millrace::worker {
namespace {

constexpr size_t kMinCapacity = 64u << 10;
constexpr size_t kMaxWaste = 4;  // a kept block serves requests down to this fraction of it

// Quarters of powers of two, so that responses of about one size fit each other's blocks.
size_t RoundUp(size_t needed) {
  const size_t quarter = std::max(kMinCapacity, std::bit_floor(needed)) / 4;
  return std::max(kMinCapacity, (needed + quarter - 1) / quarter * quarter);
}

}  // namespace

KafkaBuffer BufferPool::Take(size_t size) {
  Block block = TakeBlock(size + kKafkaPadding);
  std::memset(block.memory.get() + size, 0, kKafkaPadding);
  char* memory = block.memory.release();
  auto give_back = [pool = shared_from_this(), capacity = block.capacity](char* done) {
    pool->Return({std::unique_ptr<char[]>(done), capacity});
  };
  return {std::shared_ptr<char>(memory, std::move(give_back)), size};
}

BufferPool::Block BufferPool::TakeBlock(size_t needed) {
  {
    std::lock_guard lock(mutex_);
    const auto fits = [needed](const Block& block) {
      return block.capacity >= needed &&
             block.capacity / kMaxWaste <= std::max(needed, kMinCapacity);
    };
    const auto found = std::find_if(free_.begin(), free_.end(), fits);
    if (found != free_.end()) {
      Block block = std::move(*found);
      *found = std::move(free_.back());
      free_.pop_back();
      kept_bytes_ -= block.capacity;
      return block;
    }
  }
  const size_t capacity = RoundUp(needed);
  return {std::unique_ptr<char[]>(new char[capacity]), capacity};
}

void BufferPool::Return(Block block) {
  std::lock_guard lock(mutex_);
  if (kept_bytes_ + block.capacity > kMaxKeptBytes) return;
  kept_bytes_ += block.capacity;
  free_.push_back(std::move(block));
}

size_t BufferPool::kept_bytes() const {
  std::lock_guard lock(mutex_);
  return kept_bytes_;
}

}  // namespace millrace::worker
