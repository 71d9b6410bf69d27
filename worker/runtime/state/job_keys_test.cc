#include "worker/runtime/state/job_keys.h"

#include <gmock/gmock.h>

namespace millrace::worker {
namespace {

using testing::ElementsAre;

TEST(JobKeysTest, TellsKeysOfTheJobFromThoseOfItsGroups) {
  const JobKeys keys = SortJobKeys(
      "mr:{ns/job/id}", {"mr:{ns/job/id}:job", "mr:{ns/job/id/7}:i",
                         "mr:{ns/job/id/7}:d:count:1:2-x:0", "mr:{ns/job/id/127}:s:count:1:2-x:0"});
  EXPECT_THAT(keys.job, ElementsAre("mr:{ns/job/id}:job"));
  EXPECT_THAT(keys.groups, ElementsAre("mr:{ns/job/id/7}:i", "mr:{ns/job/id/7}:d:count:1:2-x:0",
                                       "mr:{ns/job/id/127}:s:count:1:2-x:0"));
}

TEST(JobKeysTest, LeavesKeysOfOtherJobsAlone) {
  const JobKeys keys = SortJobKeys(
      "mr:{ns/job/id}", {"mr:{ns/job/id2}:job", "mr:{ns/job/id/7}:job", "mr:{ns/job/id/7/3}:i",
                         "mr:{id/sink}:ledger", "mr:{ns/job/id/w/lines/0}:log"});
  EXPECT_TRUE(keys.job.empty());
  EXPECT_TRUE(keys.groups.empty());
}

}  // namespace
}  // namespace millrace::worker
