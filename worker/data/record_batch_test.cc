#include "worker/data/record_batch.h"

#include <gtest/gtest.h>

#include "worker/data/column_testing.h"

namespace millrace::worker {
namespace {

using testing::Batch;
using testing::Ints;
using testing::Strings;

RecordBatch Words() { return Batch({{"word", Strings({"a", "b", "c"})}, {"n", Ints({1, 2, 3})}}); }

TEST(RecordBatchTest, GathersRowsInTheOrderGiven) {
  const RecordBatch batch = Words().Gather(std::vector<uint32_t>{2, 0, 2});
  EXPECT_EQ(batch.Find("word")->strings, (std::vector<std::string_view>{"c", "a", "c"}));
  EXPECT_EQ(batch.Find("n")->ints, (std::vector<int64_t>{3, 1, 3}));
}

TEST(RecordBatchTest, SharesColumnsWhenAllRowsStay) {
  const RecordBatch batch = Words();
  EXPECT_EQ(batch.Gather(std::vector<uint32_t>{0, 1, 2}).column_ref(0), batch.column_ref(0));
  EXPECT_NE(batch.Gather(std::vector<uint32_t>{0, 2, 2}).column_ref(0), batch.column_ref(0));
}

TEST(RecordBatchTest, SlicesAndConcatenates) {
  const RecordBatch batch = Words();
  const RecordBatch joined =
      Concat(std::vector<RecordBatch>{batch.Slice(1, 3), batch.Slice(0, 0), batch.Slice(0, 1)});
  EXPECT_EQ(joined.num_rows(), 3u);
  EXPECT_EQ(joined.column(1).ints, (std::vector<int64_t>{2, 3, 1}));
}

TEST(RecordBatchTest, FindsNothingForUnknownNames) { EXPECT_EQ(Words().Find("wrod"), nullptr); }

}  // namespace
}  // namespace millrace::worker
