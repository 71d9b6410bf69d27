#include <gtest/gtest.h>

#include "worker/data/column_testing.h"
#include "worker/table/table.h"

namespace millrace::worker {
namespace {

using testing::Batch;
using testing::Ints;
using testing::Strings;

TEST(TableVersionTest, FindsRowsByEncodedKey) {
  const auto table =
      TableVersion::Build("v1", Batch({{"id", Strings({"x", "y"})}, {"n", Ints({1, 2})}}), {0}, 10);
  ASSERT_TRUE(table.ok());
  std::vector<int64_t> rows;
  (*table)->Find(std::vector<std::string_view>{"y", "z", "x"}, &rows);
  EXPECT_EQ(rows, (std::vector<int64_t>{1, -1, 0}));
}

TEST(TableVersionTest, NamesADuplicateKey) {
  const auto table =
      TableVersion::Build("v1", Batch({{"id", Ints({7, 8, 7})}, {"n", Ints({1, 2, 3})}}), {0}, 10);
  EXPECT_EQ(table.status().code(), StatusCode::kInvalid);
  EXPECT_EQ(table.status().message(), R"(key {"id":7} is in the table twice (rows 1 and 3))");
}

TEST(TableVersionTest, RefusesMoreRowsThanAllowed) {
  const auto table = TableVersion::Build("v1", Batch({{"id", Ints({7, 8, 9})}}), {0}, 2);
  EXPECT_EQ(table.status().message(), "the table has 3 rows, maxRows is 2");
}

}  // namespace
}  // namespace millrace::worker
