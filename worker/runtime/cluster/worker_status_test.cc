#include "worker/runtime/cluster/worker_status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

WorkerStatus TwoWorkers() {
  Generation generation;
  generation.name = "3-00000000000000aa";
  generation.seats = {{"w1-a", "host1:1"}, {"w2-b", "host2:1"}};
  generation.groups = {0, 0, 1, 0};
  WorkerStatus status;
  status.member = "w2-b";
  status.state = "open";
  status.generation = std::make_shared<const Generation>(generation);
  status.slot = 1;
  status.committed = 41;
  status.members["w1-a"].address = "host1:1";
  status.members["w3-c"].leaving = true;
  return status;
}

TEST(RangesTextTest, JoinsNeighbours) {
  EXPECT_EQ(RangesText({}), "");
  EXPECT_EQ(RangesText({4}), "4");
  EXPECT_EQ(RangesText({0, 1, 2, 5, 7, 8}), "0-2,5,7-8");
}

TEST(WorkerBoardTest, SaysWhoOwnsWhichKeyGroupsAndPartitions) {
  WorkerBoard board;
  BatchPlan plan;
  plan.sources.resize(2);
  plan.sources[0].name = "lines";
  plan.sources[0].ranges.resize(1);
  plan.sources[0].ranges[0].partition = 3;
  plan.sources[1].name = "idle";
  board.OnPlan(plan);
  const std::string json = board.Json(TwoWorkers());
  EXPECT_THAT(json, HasSubstr(R"({"slot":0,"member":"w1-a","keyGroups":"0-1,3",)"
                              R"("partitions":{"lines":"0,2","idle":""}})"));
  EXPECT_THAT(json, HasSubstr(R"("keyGroups":"2","partitions":{"lines":"1,3","idle":""})"));
  EXPECT_EQ(TwoWorkers().key_groups(), 1);
}

TEST(WorkerBoardTest, ListsMembersWithTheirSlots) {
  const std::string json = WorkerBoard().Json(TwoWorkers());
  EXPECT_THAT(json, HasSubstr(R"({"member":"w1-a","address":"host1:1","slot":0,"leaving":false})"));
  EXPECT_THAT(json, HasSubstr(R"({"member":"w3-c","address":"","slot":-1,"leaving":true})"));
  EXPECT_THAT(json, Not(HasSubstr("leadership")));
}

TEST(WorkerBoardTest, ALeaderSaysWhatItWaitsFor) {
  WorkerStatus status = TwoWorkers();
  status.leading = true;
  status.phase = "fencing";
  status.reason = "member lost";
  status.waiting_for = {0};
  EXPECT_THAT(WorkerBoard().Json(status), HasSubstr(R"("leadership":{"phase":"fencing",)"
                                                    R"("reason":"member lost","waitingFor":[0]})"));
}

TEST(WorkerBoardTest, ShowsOneEntryPerRecovery) {
  WorkerBoard board;
  TakeOverProgress progress;
  progress.generation = "1-a";
  board.OnTakeOver(progress);
  progress.step = TakeOverProgress::Step::kFencing;
  board.OnTakeOver(progress);
  EXPECT_THAT(board.Json({}),
              HasSubstr(R"("recoveries":[{"generation":"1-a","step":"fencing sinks",)"));
  progress.step = TakeOverProgress::Step::kFailed;
  progress.error = "no broker";
  board.OnTakeOver(progress);
  board.OnTakeOver({.step = TakeOverProgress::Step::kLoading, .generation = "2-b"});
  const std::string json = board.Json({});
  EXPECT_THAT(json, HasSubstr(R"("recoveries":[{"generation":"2-b","step":"loading state",)"));
  EXPECT_THAT(json, HasSubstr(R"("error":"no broker"}],)"));
}

TEST(WorkerBoardTest, KeepsTheNewestBatches) {
  WorkerBoard board;
  for (int64_t batch = 1; batch <= 100; ++batch) {
    SlotBatch part;
    part.batch = batch;
    board.OnSlotBatch(part);
  }
  const std::string json = board.Json({});
  EXPECT_THAT(json, HasSubstr(R"("batches":[{"batch":100,)"));
  EXPECT_THAT(json, HasSubstr(R"({"batch":81,)"));
  EXPECT_THAT(json, Not(HasSubstr(R"({"batch":80,)")));
}

}  // namespace
}  // namespace millrace::worker
