#include "operator/controller/records.h"

#include <gmock/gmock.h>

#include "operator/controller/executor.h"
#include "operator/controller/memory_text.h"

namespace millrace::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

RawObject Raw(const std::string& json) { return ParseObject(json).value(); }

TEST(RecordsTest, KeepAJobWithoutItsManagedFieldsAndWithMembersOfOthers) {
  const auto job = ReadJobRecord(
      Raw(R"({"metadata":{"name":"a","uid":"u","resourceVersion":"5","finalizers":["x/y"],)"
          R"("deletionTimestamp":"2024-06-01T00:00:00Z","managedFields":[{"manager":"m"}]},)"
          R"("spec":{"later":{"version":[1,2]}}})"));
  ASSERT_TRUE(job.has_value());
  EXPECT_THAT(job->finalizers, ElementsAre("x/y"));
  EXPECT_TRUE(job->deleted_at.has_value());
  EXPECT_THAT(job->json, HasSubstr(R"("spec":{"later":{"version":[1,2]}})"));
  EXPECT_THAT(job->json, Not(HasSubstr("managedFields")));
}

TEST(RecordsTest, TakeTheOwnerThatControls) {
  const auto child = ReadChildRecord(
      Raw(R"({"metadata":{"name":"a","uid":"u","ownerReferences":[{"uid":"o1"},)"
          R"({"uid":"o2","controller":true}],"labels":{"streaming.millrace.io/job-uid":"j",)"
          R"("app.kubernetes.io/instance":"words"}}})"));
  ASSERT_TRUE(child.has_value());
  EXPECT_EQ(child->object.owner_uid, "o2");
  EXPECT_EQ(child->object.job_label, "j");
  EXPECT_EQ(child->job, "words");
}

TEST(RecordsTest, CountUpdatedPodsOnceTheControllerHasSeenTheTemplate) {
  const std::string head = R"({"metadata":{"name":"a","uid":"u","generation":3},"spec":)"
                           R"({"replicas":2},"status":{"updatedReplicas":2,"observedGeneration":)";
  EXPECT_EQ(ReadChildRecord(Raw(head + "2}}"))->updated_replicas, 0);
  EXPECT_EQ(ReadChildRecord(Raw(head + "3}}"))->updated_replicas, 2);
}

TEST(RecordsTest, SeeAPodThatFindsNoNodeAndCountRestarts) {
  const auto waiting =
      ReadPodRecord(Raw(R"({"metadata":{"name":"p"},"status":{"phase":"Pending","conditions":)"
                        R"([{"type":"PodScheduled","status":"False"}]}})"));
  EXPECT_TRUE(waiting->unschedulable);
  const auto restarted = ReadPodRecord(
      Raw(R"({"metadata":{"name":"p"},"status":{"phase":"Running","containerStatuses":)"
          R"([{"restartCount":4},{"restartCount":1}]}})"));
  EXPECT_EQ(restarted->restarts, 5);
}

TEST(RecordsTest, ReadNothingFromWhatIsNoObject) {
  EXPECT_FALSE(ReadJobRecord({.json = "[]"}).has_value());
  EXPECT_FALSE(ReadChildRecord({.json = "{"}).has_value());
}

TEST(MemoryTextTest, ReadsBackWhatItWrote) {
  Memory memory;
  memory.applied = {{"streams", "d1"}, {"sinks", "d2"}};
  memory.announced_generation = 4;
  memory.completed_at = TimePoint(std::chrono::microseconds(1'717'200'000'123'456));
  memory.completed_revision = "r";
  memory.scaling.workers = 3;
  memory.scaling.last_window = TimePoint(std::chrono::seconds(1'717'200'000));
  memory.scaling.needs = {{TimePoint(std::chrono::seconds(9)), 2}};
  memory.scaling.reason = "up \"quoted\"";
  memory.rollout = {.revision = "r1",
                    .number = 7,
                    .since = TimePoint(std::chrono::seconds(8)),
                    .good = "r0",
                    .refused = "r2",
                    .history = {"r0", "r1"}};
  memory.restarts = {
      .count = 3, .seen = 2, .last = TimePoint(std::chrono::seconds(7)), .gave_up = 5};
  EXPECT_EQ(ReadMemory(WriteMemory(memory)), memory);
  EXPECT_EQ(ReadMemory(WriteMemory({})), Memory());
}

TEST(MemoryTextTest, TakesTextOfAnotherVersionForNone) {
  EXPECT_EQ(ReadMemory(R"({"v":2,"announced":4})"), Memory());
  EXPECT_EQ(ReadMemory("no json"), Memory());
}

TEST(MemoryTextTest, StaysSmallHoweverLongAJobRuns) {
  Memory memory;
  for (int i = 0; i < 40; ++i) memory.applied["field-" + std::to_string(i)] = std::string(16, 'd');
  memory.scaling.needs.assign(ScalingRecord::kMaxNeeds, {TimePoint{}, 1000});
  EXPECT_LT(WriteMemory(memory).size(), 4096u);
}

TEST(ExecutorTest, BindsAnApplyToTheVersionOfTheObjectThatWasSeen) {
  EXPECT_EQ(Bound(R"({"kind":"X","metadata":{"name":"a"}})", "u1", "7"),
            R"({"kind":"X","metadata":{"uid":"u1","resourceVersion":"7","name":"a"}})");
}

}  // namespace
}  // namespace millrace::controller
