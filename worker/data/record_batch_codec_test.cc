#include <gtest/gtest.h>

#include "worker/data/column_testing.h"

namespace millrace::worker {
namespace {

using testing::Batch;
using testing::Ints;
using testing::RandomBatch;
using testing::SameValues;
using testing::Strings;

std::string Encoded(const RecordBatch& batch) {
  std::string bytes;
  EncodeBatch(batch, &bytes);
  return bytes;
}

TEST(RecordBatchCodecTest, BringsBackEveryType) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const RecordBatch batch = RandomBatch(testing::kEveryType, random() % 40, &random);
    const Result<RecordBatch> decoded = DecodeBatch(Encoded(batch));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(decoded->schema(), batch.schema());
    for (size_t i = 0; i < batch.num_columns(); ++i) {
      EXPECT_TRUE(SameValues(batch.column(i), decoded->column(i))) << batch.schema()[i].name;
    }
  }
}

TEST(RecordBatchCodecTest, KeepsStringsAliveWithoutTheInput) {
  auto bytes =
      std::make_unique<std::string>(Encoded(Batch({{"word", Strings({"spark", "storm"})}})));
  const Result<RecordBatch> decoded = DecodeBatch(*bytes);
  bytes.reset();
  EXPECT_EQ(decoded->column(0).strings[1], "storm");
}

TEST(RecordBatchCodecTest, KeepsRowCountOfBatchesWithoutColumns) {
  const Result<RecordBatch> decoded =
      DecodeBatch(Encoded(RecordBatch(std::make_shared<Schema>(), {}, 7)));
  ASSERT_TRUE(decoded.ok());
  EXPECT_EQ(decoded->num_rows(), 7u);
}

TEST(RecordBatchCodecTest, RefusesEveryTruncation) {
  std::mt19937_64 random(3);
  const std::string bytes = Encoded(RandomBatch(testing::kEveryType, 5, &random));
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeBatch(std::string_view(bytes).substr(0, size)).ok()) << size;
  }
}

TEST(RecordBatchCodecTest, RefusesBytesBehindTheEnd) {
  EXPECT_FALSE(DecodeBatch(Encoded(Batch({{"n", Ints({1})}})) + "x").ok());
}

TEST(RecordBatchCodecTest, NamesAnUnknownVersion) {
  std::string bytes = Encoded(Batch({{"n", Ints({1})}}));
  bytes[0] = 9;
  EXPECT_NE(DecodeBatch(bytes).status().message().find("format version 9"), std::string::npos);
}

// Any outcome is fine but a crash, a read outside the input or a huge allocation.
TEST(RecordBatchCodecTest, SurvivesFlippedBytes) {
  std::mt19937_64 random(11);
  const std::string bytes = Encoded(RandomBatch(testing::kEveryType, 6, &random));
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = bytes;
    for (int flips = 0; flips < 3; ++flips)
      damaged[random() % damaged.size()] = static_cast<char>(random());
    const Result<RecordBatch> decoded = DecodeBatch(damaged);
    if (decoded.ok() && decoded->num_rows() > 0 && decoded->num_rows() < 1000)
      RowToJson(*decoded, 0);
  }
}

}  // namespace
}  // namespace millrace::worker
