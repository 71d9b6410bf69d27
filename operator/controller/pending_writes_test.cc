#include "operator/controller/pending_writes.h"

#include <gtest/gtest.h>

namespace millrace::controller {
namespace {

using std::chrono::seconds;

const MonotonicTime kNow(seconds(1000));

TEST(PendingWritesTest, HoldsAPassBackUntilTheCacheShowsTheWrite) {
  PendingWrites pending;
  pending.Expect("ns/a", "Deployment/ns/a-workers", "17", kNow);
  EXPECT_GT(pending.Wait("ns/a", kNow), Duration(0));
  pending.Seen("ns/a", "Deployment/ns/a-workers", "16");
  EXPECT_GT(pending.Wait("ns/a", kNow), Duration(0)) << "an older version";
  pending.Seen("ns/a", "Service/ns/a-workers", "17");
  EXPECT_GT(pending.Wait("ns/a", kNow), Duration(0)) << "another object";
  pending.Seen("ns/a", "Deployment/ns/a-workers", "17");
  EXPECT_EQ(pending.Wait("ns/a", kNow), Duration(0));
}

TEST(PendingWritesTest, OtherJobsAreNotHeldBack) {
  PendingWrites pending;
  pending.Expect("ns/a", "Deployment/ns/a-workers", "17", kNow);
  EXPECT_EQ(pending.Wait("ns/b", kNow), Duration(0));
}

TEST(PendingWritesTest, TheEndOfAnObjectCountsWhateverItsVersion) {
  PendingWrites pending;
  pending.Expect("ns/a", "Service/ns/x", "3", kNow);
  pending.Seen("ns/a", "Service/ns/x", "");
  EXPECT_EQ(pending.Wait("ns/a", kNow), Duration(0));
}

TEST(PendingWritesTest, AVersionThatNeverComesHoldsNobodyBackForEver) {
  PendingWrites pending;
  pending.Expect("ns/a", "Service/ns/x", "3", kNow);
  EXPECT_EQ(pending.Wait("ns/a", kNow + seconds(4)), PendingWrites::kPatience - seconds(4));
  EXPECT_EQ(pending.Wait("ns/a", kNow + PendingWrites::kPatience), Duration(0));
}

}  // namespace
}  // namespace millrace::controller
