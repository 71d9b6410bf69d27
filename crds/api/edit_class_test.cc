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

}  // namespace
}  // namespace millrace::api
