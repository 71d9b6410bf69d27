#include "worker/table/kafka_rows.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

SchemaRef Numbers() { return std::make_shared<Schema>(Schema({{"n", Type(Kind::kInt)}})); }

RecordBatch Batch(const std::vector<int64_t>& values) {
  auto column = std::make_shared<Column>(Type(Kind::kInt));
  for (const int64_t value : values) column->AppendInt(value);
  return RecordBatch(Numbers(), {column}, values.size());
}

std::vector<int64_t> Values(KafkaRows* rows) { return rows->Rows().column(0).ints; }

TEST(KafkaRowsTest, KeepsTheLastRowOfEachKey) {
  KafkaRows rows(Numbers());
  rows.Set(Batch({1, 2, 3}), std::vector<std::string_view>{"b", "a", "b"});
  EXPECT_EQ(Values(&rows), (std::vector<int64_t>{2, 3}));
  rows.Set(Batch({4, 5}), std::vector<std::string_view>{"c", "a"});
  EXPECT_EQ(Values(&rows), (std::vector<int64_t>{5, 3, 4}));
}

TEST(KafkaRowsTest, ForgetsKeysWithATombstone) {
  KafkaRows rows(Numbers());
  rows.Set(Batch({1, 2}), std::vector<std::string_view>{"a", "b"});
  rows.Remove("a");
  rows.Remove("never written");
  EXPECT_EQ(Values(&rows), (std::vector<int64_t>{2}));
  rows.Set(Batch({7}), std::vector<std::string_view>{"a"});
  EXPECT_EQ(Values(&rows), (std::vector<int64_t>{7, 2}));
}

TEST(KafkaRowsTest, IsEmptyAtFirst) {
  KafkaRows rows(Numbers());
  EXPECT_EQ(rows.Rows().num_rows(), 0u);
}

}  // namespace
}  // namespace millrace::worker
