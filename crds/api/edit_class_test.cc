#include "crds/api/edit_class.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::api {
namespace {

using ::testing::ElementsAre;

EditClass ClassBetween(const StreamingJobSpec& before, const StreamingJobSpec& after) {
  return Classify(DigestFields(before), DigestFields(after)).edit_class;
}

TEST(EditClassTest, AnEditHasTheClassOfItsStrongestField) {
  const StreamingJobSpec before;
  StreamingJobSpec after;
  EXPECT_EQ(ClassBetween(before, after), EditClass::kNone);
  after.batch_interval = std::chrono::seconds(7);
  EXPECT_EQ(ClassBetween(before, after), EditClass::kHot);
  after.workers = 7;
  EXPECT_EQ(ClassBetween(before, after), EditClass::kScale);
  after.sources.emplace_back().name = "other";
  EXPECT_EQ(ClassBetween(before, after), EditClass::kRoll);
  after.max_parallelism = 3;
  EXPECT_EQ(ClassBetween(before, after), EditClass::kFixed);
}

TEST(EditClassTest, TheFirstSpecIsNoEdit) {
  EXPECT_EQ(Classify({}, DigestFields({})).edit_class, EditClass::kNone);
}

TEST(EditClassTest, AnUnknownFieldIsRolledOut) {
  EXPECT_EQ(Classify({{"a", "1"}}, {{"a", "2"}}).edit_class, EditClass::kRoll);
}

TEST(EditClassTest, FieldsOfAnEditArePartedByTheirClass) {
  const Edit edit = Classify({{"x", ""}}, {{"batchInterval", "1"}, {"logging", "1"}, {"pod", "1"}});
  EXPECT_THAT(FieldsOf(edit, EditClass::kHot), ElementsAre("batchInterval", "logging"));
  EXPECT_THAT(FieldsOf(edit, EditClass::kRoll), ElementsAre("pod"));
}

TEST(EditClassTest, TakingAnOptionalFieldAwayIsAnEdit) {
  StreamingJobSpec before;
  before.ttl_after_finished = std::chrono::hours(1);
  EXPECT_THAT(Classify(DigestFields(before), DigestFields({})).fields,
              ElementsAre("ttlAfterFinished"));
}

StreamingJobSpec WithOtherHotFields() {
  StreamingJobSpec spec;
  spec.autoscaling.max_workers = 9;
  spec.backpressure.min_rate = 7;
  spec.batch_interval = std::chrono::seconds(7);
  spec.deletion.drain = false;
  spec.disruption_budget_max_unavailable = 3;
  spec.health_check.stalled_after = std::chrono::seconds(7);
  spec.logging.level = Logging::Level::kDebug;
  spec.missed_batches = StreamingJobSpec::MissedBatches::kCoalesce;
  spec.poison_batch.attempts = 9;
  spec.restart_policy.max_restarts = 2;
  spec.ttl_after_finished = std::chrono::hours(1);
  spec.upgrade.allow_state_loss = true;
  return spec;
}

TEST(EditClassTest, AllHotFieldsAndNoOthersAreTakenOver) {
  const StreamingJobSpec other = WithOtherHotFields();
  const Edit edit = Classify(DigestFields({}), DigestFields(other));
  size_t hot = 0;
  for (const auto& [field, digest] : DigestFields({})) hot += ClassOf(field) == EditClass::kHot;
  EXPECT_EQ(FieldsOf(edit, EditClass::kHot).size(), hot);
  StreamingJobSpec taken;
  taken.workers = 4;
  TakeHotFields(other, &taken);
  EXPECT_THAT(Classify(DigestFields(other), DigestFields(taken)).fields, ElementsAre("workers"));
}

TEST(EditClassTest, HotFieldsDoNotDecideTheWork) {
  EXPECT_EQ(WorkText(WithOtherHotFields()), WorkText({}));
  for (const auto& [field, digest] : DigestFields({})) {
    EXPECT_TRUE(!DecidesWork(field) || ClassOf(field) >= EditClass::kRoll) << field;
  }
  StreamingJobSpec other;
  other.sinks.emplace_back().name = "out";
  EXPECT_NE(WorkText(other), WorkText({}));
}

}  // namespace
}  // namespace millrace::api
