#include "operator/queue/key_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::controller {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

MonotonicTime At(Duration since) { return MonotonicTime(minutes(1)) + since; }
constexpr Duration kStart{0};

TEST(BackoffDelayTest, DoublesUpToTheCap) {
  const BackoffOptions plain{.base = milliseconds(200), .cap = seconds(1), .jitter = 0};
  EXPECT_EQ(BackoffDelay(plain, 1, 0), milliseconds(200));
  EXPECT_EQ(BackoffDelay(plain, 2, 0), milliseconds(400));
  EXPECT_EQ(BackoffDelay(plain, 3, 0), milliseconds(800));
  EXPECT_EQ(BackoffDelay(plain, 4, 0), seconds(1));
  EXPECT_EQ(BackoffDelay(plain, 1'000'000'000, 0), seconds(1));
}

TEST(BackoffDelayTest, JitterShortensByAtMostItsShare) {
  const BackoffOptions options{.base = seconds(1), .cap = seconds(10), .jitter = 0.2};
  EXPECT_EQ(BackoffDelay(options, 1, 0), seconds(1));
  EXPECT_GE(BackoffDelay(options, 1, UINT64_MAX), milliseconds(800));
  EXPECT_LT(BackoffDelay(options, 1, UINT64_MAX), milliseconds(801));
}

TEST(TokenBucketTest, GivesABurstThenOneEachInterval) {
  TokenBucket bucket(milliseconds(100), 2);
  EXPECT_EQ(bucket.Reserve(At(kStart)), kStart);
  EXPECT_EQ(bucket.Reserve(At(kStart)), kStart);
  EXPECT_EQ(bucket.Reserve(At(kStart)), milliseconds(100));
  EXPECT_EQ(bucket.Reserve(At(kStart)), milliseconds(200));
  EXPECT_EQ(bucket.Reserve(At(seconds(1))), kStart);
}

TEST(KeyQueueTest, KeepsAWaitingKeyOnce) {
  KeyQueue queue;
  queue.Add("ns/a");
  queue.Add("ns/b");
  queue.Add("ns/a");
  EXPECT_EQ(queue.Take(At(kStart)), "ns/a");
  EXPECT_EQ(queue.Take(At(kStart)), "ns/b");
  EXPECT_EQ(queue.Take(At(kStart)), std::nullopt);
}

TEST(KeyQueueTest, NeverHandsOutAKeyInWorkButComesBackToItAfterwards) {
  KeyQueue queue;
  queue.Add("a");
  ASSERT_EQ(queue.Take(At(kStart)), "a");
  queue.Add("a");
  queue.Add("a");
  EXPECT_EQ(queue.Take(At(kStart)), std::nullopt);
  queue.Done("a");
  EXPECT_EQ(queue.Take(At(kStart)), "a");
  queue.Done("a");
  EXPECT_EQ(queue.Take(At(kStart)), std::nullopt);
  EXPECT_EQ(queue.working(), 0u);
}

TEST(KeyQueueTest, OfTwoDelaysTheEarlierStays) {
  KeyQueue queue;
  queue.AddAt("a", At(seconds(5)));
  queue.AddAt("a", At(seconds(2)));
  queue.AddAt("a", At(seconds(9)));
  EXPECT_EQ(queue.NextDue(), At(seconds(2)));
  EXPECT_EQ(queue.Take(At(seconds(1))), std::nullopt);
  EXPECT_EQ(queue.Take(At(seconds(2))), "a");
  EXPECT_EQ(queue.delayed(), 0u);
}

TEST(KeyQueueTest, AKeyThatFailsWaitsLongerUntilItIsForgotten) {
  KeyQueue queue({.backoff = {.base = seconds(1), .cap = minutes(1), .jitter = 0}});
  EXPECT_EQ(queue.Retry("a", At(kStart)), seconds(1));
  EXPECT_EQ(queue.Retry("a", At(kStart)), seconds(2));
  EXPECT_EQ(queue.Retry("b", At(kStart)), seconds(1));
  queue.Forget("a");
  EXPECT_EQ(queue.failures("a"), 0);
  EXPECT_EQ(queue.Retry("a", At(kStart)), seconds(1));
}

TEST(KeyQueueTest, RetriesOfManyKeysAreSpreadOut) {
  KeyQueue queue({.backoff = {.base = milliseconds(1), .cap = milliseconds(1), .jitter = 0},
                  .retry_interval = milliseconds(100),
                  .retry_burst = 1});
  EXPECT_EQ(queue.Retry("a", At(kStart)), milliseconds(1));
  EXPECT_EQ(queue.Retry("b", At(kStart)), milliseconds(100));
  EXPECT_EQ(queue.Retry("c", At(kStart)), milliseconds(200));
}

TEST(KeyQueueTest, DoneOfAnUntakenKeyDoesNothing) {
  KeyQueue queue;
  queue.Add("a");
  queue.Done("a");
  EXPECT_EQ(queue.ready(), 1u);
}

// A random sequence of calls against what must hold: a key is with one worker at a time, and every
// Add is followed by a Take that began after it.
TEST(KeyQueueTest, LosesNoAddAndNeverSharesAKey) {
  std::mt19937_64 random(7);
  KeyQueue queue;
  std::map<std::string, bool> owed;
  std::set<std::string> held;
  for (int step = 0; step < 20'000; ++step) {
    const std::string key(1, static_cast<char>('a' + random() % 5));
    switch (random() % 3) {
      case 0:
        queue.Add(key);
        owed[key] = true;
        break;
      case 1:
        if (const auto taken = queue.Take(At(kStart))) {
          ASSERT_TRUE(held.insert(*taken).second) << "step " << step;
          ASSERT_TRUE(owed[*taken]) << "step " << step;
          owed[*taken] = false;
        }
        break;
      default:
        if (held.erase(key) > 0) queue.Done(key);
    }
  }
  for (const std::string& key : held) queue.Done(key);
  while (const auto taken = queue.Take(At(kStart))) owed[*taken] = false;
  for (const auto& [key, is_owed] : owed) EXPECT_FALSE(is_owed) << key;
}

}  // namespace
}  // namespace millrace::controller
