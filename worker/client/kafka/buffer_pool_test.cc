#include "worker/client/kafka/buffer_pool.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

TEST(BufferPoolTest, GivesTheMemoryOfTheLastBufferAgain) {
  const auto pool = BufferPool::Create();
  KafkaBuffer first = pool->Take(1 << 20);
  const char* memory = first.data.get();
  first = {};
  EXPECT_GT(pool->kept_bytes(), size_t{1} << 20);
  EXPECT_EQ(pool->Take((1 << 20) - 1000).data.get(), memory);
}

TEST(BufferPoolTest, DoesNotWasteLargeMemoryOnSmallBuffers) {
  const auto pool = BufferPool::Create();
  const char* memory = pool->Take(8 << 20).data.get();
  EXPECT_NE(pool->Take(1 << 20).data.get(), memory);
}

TEST(BufferPoolTest, KeepsALimitedAmount) {
  const auto pool = BufferPool::Create();
  std::vector<KafkaBuffer> taken;
  for (int i = 0; i < 20; ++i) taken.push_back(pool->Take(8 << 20));
  taken.clear();
  EXPECT_LE(pool->kept_bytes(), BufferPool::kMaxKeptBytes);
  EXPECT_GT(pool->kept_bytes(), BufferPool::kMaxKeptBytes / 2);
}

TEST(BufferPoolTest, LivesAsLongAsItsBuffers) {
  auto pool = BufferPool::Create();
  const KafkaBuffer buffer = pool->Take(10);
  pool.reset();
  EXPECT_EQ(buffer.size, 10u);
  EXPECT_EQ(buffer.data.get()[10], 0);
}

}  // namespace
}  // namespace millrace::worker
