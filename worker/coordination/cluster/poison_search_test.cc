#include "worker/coordination/cluster/poison_search.h"

#include <gtest/gtest.h>

#include <set>

namespace millrace::worker {
namespace {

using State = PoisonSearch::State;

// Two ranges of source "a", of 5 and 1 records, and one of source "b", of 10: 16 in all.
BatchPlan Plan() {
  BatchPlan plan;
  plan.batch = 7;
  plan.sources.resize(2);
  plan.sources[0].name = "a";
  plan.sources[0].ranges = {{0, "0", "5", "", -1}, {3, "0", "1", "", -1}};
  plan.sources[1].name = "b";
  plan.sources[1].ranges = {{2, "0", "10", "", -1}};
  return plan;
}
const std::vector<RangeRecords> kCounts{{1, 2, 10}, {0, 0, 5}, {0, 3, 1}};

// Searches the plan whose records at `poison`, counted over all ranges, fail; returns the runs.
int Search(const std::set<int64_t>& poison, PoisonSearch* search) {
  search->OnCounts(kCounts);
  int runs = 0;
  for (; search->running() && runs < 10000; ++runs) {
    int64_t begin = 0;
    Status outcome;
    for (const RangeRecords& limit : search->Limits()) {
      const std::string source = search->plan().sources[limit.source].name;
      for (int64_t i = 0; i < limit.records; ++i) {
        const bool excluded = std::any_of(search->plan().exclusions.begin(),
                                          search->plan().exclusions.end(), [&](const Exclusion& e) {
                                            return e.source == source &&
                                                   e.partition == limit.partition && e.index == i;
                                          });
        if (poison.contains(begin + i) && !excluded)
          outcome = InvalidError("record " + std::to_string(begin + i));
      }
      for (const RangeRecords& count : kCounts) {
        if (count.source == limit.source && count.partition == limit.partition)
          begin += count.records;
      }
    }
    search->OnOutcome(outcome);
  }
  return runs;
}

TEST(PoisonSearchTest, FindsEachSingleRecordWhereverItIs) {
  for (int64_t poison = 0; poison < 16; ++poison) {
    PoisonSearch search(Plan(), InvalidError("failed"));
    EXPECT_LE(Search({poison}, &search), 7);  // whole, empty, four halvings, whole
    ASSERT_EQ(search.state(), State::kFound) << poison;
    ASSERT_EQ(search.plan().exclusions.size(), 1u) << poison;
    const Exclusion& found = search.plan().exclusions[0];
    EXPECT_EQ(found.source, poison < 6 ? "a" : "b");
    EXPECT_EQ(found.partition, poison < 5 ? 0 : poison == 5 ? 3 : 2);
    EXPECT_EQ(found.index, poison < 5 ? poison : poison == 5 ? 0 : poison - 6);
    EXPECT_EQ(found.message, "record " + std::to_string(poison));
  }
}

TEST(PoisonSearchTest, FindsAllOfSeveral) {
  PoisonSearch search(Plan(), InvalidError("failed"));
  Search({0, 4, 5, 15}, &search);
  EXPECT_EQ(search.state(), State::kFound);
  EXPECT_EQ(search.plan().exclusions.size(), 4u);
}

TEST(PoisonSearchTest, BlamesNoRecordWhenTheBatchFailsWithoutAny) {
  PoisonSearch search(Plan(), InvalidError("failed"));
  search.OnCounts(kCounts);
  search.OnOutcome(InvalidError("a window"));
  search.OnOutcome(InvalidError("the same window"));
  EXPECT_EQ(search.state(), State::kFailed);
  EXPECT_EQ(search.failure().message(), "the same window");
}

TEST(PoisonSearchTest, KeepsTheFailureOfABatchThatComputes) {
  PoisonSearch search(Plan(), InvalidError("the sink refuses a row"));
  search.OnCounts(kCounts);
  search.OnOutcome(OkStatus());
  EXPECT_EQ(search.state(), State::kFailed);
  EXPECT_EQ(search.failure().message(), "the sink refuses a row");
}

TEST(PoisonSearchTest, HasNothingToLeaveOutOfABatchWithoutRecords) {
  PoisonSearch search(Plan(), InvalidError("failed"));
  search.OnCounts({});
  EXPECT_EQ(search.state(), State::kFailed);
}

TEST(PoisonSearchTest, GivesUpWhenTooManyRecordsFail) {
  BatchPlan plan = Plan();
  plan.sources.resize(1);
  plan.sources[0].ranges = {{0, "0", "1000", "", -1}};
  PoisonSearch search(plan, InvalidError("failed"));
  search.OnCounts({{0, 0, 1000}});
  for (int i = 0; i < 10000 && search.running(); ++i)  // every record fails
    search.OnOutcome(search.Limits()[0].records <=
                             static_cast<int64_t>(search.plan().exclusions.size())
                         ? OkStatus()
                         : InvalidError("bad"));
  EXPECT_EQ(search.state(), State::kFailed);
  EXPECT_EQ(search.plan().exclusions.size(), PoisonSearch::kMaxExclusions);
}

}  // namespace
}  // namespace millrace::worker
