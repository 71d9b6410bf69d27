#include "worker/sink/kafka/ledger.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

TEST(LedgerRecordTest, ReadsWhatItWrites) {
  LedgerRecord record{12, "ab01", "3-77", {}, "1-55"};
  for (const int unit : {0, 1, 2, 7, 9, 10}) record.tasks.insert({"counts.aggregate", unit});
  record.tasks.insert({"lines", 3});
  const std::string text = record.Format();
  EXPECT_EQ(text,
            "millrace-ledger 2\nbatch 12\ndigest ab01\ngeneration 3-77\nsince 1-55\n"
            "task counts.aggregate 0-2 7 9-10\ntask lines 3\n");
  const Result<LedgerRecord> read = LedgerRecord::Parse(text);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, record);
}

TEST(LedgerRecordTest, ReadsTheRecordOfAnOpenedSinkWithoutOutput) {
  const LedgerRecord record{0, "", "1-aa", {}, "1-aa"};
  const Result<LedgerRecord> read = LedgerRecord::Parse(record.Format());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, record);
}

TEST(LedgerRecordTest, ReadsVersionOneAsBegunByItsWriter) {
  const Result<LedgerRecord> read =
      LedgerRecord::Parse("millrace-ledger 1\nbatch 1\ndigest a\ngeneration 2-b\ntask s 1\n");
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, (LedgerRecord{1, "a", "2-b", {{"s", 1}}, "2-b"}));
}

TEST(LedgerViewTest, RefusesKeysAndCountsThatAreNone) {
  EXPECT_EQ(LedgerView::Parse({{"slots", FormatLedgerSlots(3)}})->slots, 3);
  for (const auto& [key, value] : std::map<std::string, std::string>{
           {"slots", "3"}, {"other", "x"}, {"-1", LedgerRecord{}.Format()}, {"0", "x"}}) {
    EXPECT_EQ(LedgerView::Parse({{key, value}}).status().code(), StatusCode::kInternal) << key;
  }
}

TEST(LedgerViewTest, TwoHistoriesOfOneBatchAreARollback) {
  LedgerView view;
  view.records[0] = {2, "aa", "1-a", {{"s", 0}}, "1-a"};
  view.records[1] = {2, "bb", "1-a", {{"s", 1}}, "1-a"};
  EXPECT_TRUE(view.Sum("2-b").status().message().starts_with("StateRolledBack"));
  view.records[1].batch = 1;  // an older batch may be of any history
  EXPECT_EQ(view.Sum("2-b")->tasks, std::vector<SinkTask>({{"s", 0}}));
}

TEST(LedgerRecordTest, RefusesWhatIsNoRecord) {
  const std::string good =
      "millrace-ledger 2\nbatch 1\ndigest a\ngeneration g\nsince g\ntask s 1\n";
  ASSERT_TRUE(LedgerRecord::Parse(good).ok());
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_FALSE(LedgerRecord::Parse(good.substr(0, size)).ok() && size != good.find("task"))
        << size;
  }
  for (const char* bad : {"millrace-ledger 3\nbatch 1\ndigest a\ngeneration g\n",
                          "millrace-ledger 1\nbatch -1\ndigest a\ngeneration g\n",
                          "millrace-ledger 1\nbatch 1\ndigest a\ngeneration g\ntask s 5-2\n",
                          "millrace-ledger 1\nbatch 1\ndigest a\ngeneration g\ntask s 0-99999999\n",
                          "millrace-ledger 1\nbatch 1\ndigest a\ngeneration g\nother\n"}) {
    EXPECT_EQ(LedgerRecord::Parse(bad).status().code(), StatusCode::kInternal) << bad;
  }
}

}  // namespace
}  // namespace millrace::worker
