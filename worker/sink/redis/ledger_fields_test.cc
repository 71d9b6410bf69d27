#include "worker/sink/redis/ledger_fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Fields = std::map<std::string, std::string>;

TEST(RedisLedgerTest, NamesTheTasksOfTheLargestBatch) {
  const Fields fields{{"format", "1"},        {"since", "1-a"},         {"generation", "3-c"},
                      {"fence", "3"},         {"batch", "12"},          {"digest", "ab01"},
                      {"task:a/b/7", "12 1"}, {"task:lines/0", "11 4"}, {"task:lines/1", "12 2"}};
  const Result<SinkLedger> ledger = ParseRedisLedger(fields, "3-c");
  ASSERT_TRUE(ledger.ok()) << ledger.status();
  EXPECT_TRUE(ledger->keeps);
  EXPECT_FALSE(ledger->missing);
  EXPECT_EQ(ledger->batch, 12);
  EXPECT_EQ(ledger->digest, "ab01");
  EXPECT_EQ(ledger->fence, 3);
  EXPECT_THAT(ledger->tasks, ElementsAre(SinkTask{"a/b", 7}, SinkTask{"lines", 1}));
}

TEST(RedisLedgerTest, IsMissingOnlyForTheGenerationThatBeganIt) {
  const Fields fields{{"format", "1"}, {"since", "3-c"}, {"generation", "3-c"}, {"fence", "3"}};
  EXPECT_TRUE(ParseRedisLedger(fields, "3-c")->missing);
  EXPECT_FALSE(ParseRedisLedger(fields, "4-d")->missing);
  EXPECT_TRUE(ParseRedisLedger({}, "4-d")->missing);
}

TEST(RedisLedgerTest, RefusesDamagedFields) {
  for (const Fields& fields :
       {Fields{{"batch", "x"}}, Fields{{"fence", "-1"}}, Fields{{"task:lines", "1 1"}},
        Fields{{"task:lines/x", "1 1"}}, Fields{{"task:lines/1", "1"}}}) {
    const Status status = ParseRedisLedger(fields, "1-a").status();
    EXPECT_EQ(status.code(), StatusCode::kInternal) << fields.begin()->first;
    EXPECT_THAT(status.message(), HasSubstr(fields.begin()->first));
  }
}

}  // namespace
}  // namespace millrace::worker
