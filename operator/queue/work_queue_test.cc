#include "operator/queue/work_queue.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace millrace::controller {
namespace {

using std::chrono::seconds;

TEST(WorkQueueTest, AKeyAddedWithADelayComesWhenTheClockReachesIt) {
  ManualClock clock{TimePoint{}};
  WorkQueue queue(&clock);
  queue.AddAfter("ns/job", seconds(3));
  EXPECT_EQ(queue.TryTake(), std::nullopt);
  clock.Advance(seconds(3));
  EXPECT_EQ(queue.TryTake(), "ns/job");
}

TEST(WorkQueueTest, StoppingWakesAWaitingThread) {
  ManualClock clock{TimePoint{}};
  WorkQueue queue(&clock);
  std::optional<std::string> taken = "unset";
  std::jthread waiter([&](std::stop_token stop) { taken = queue.Take(stop); });
  waiter.request_stop();
  waiter.join();
  EXPECT_EQ(taken, std::nullopt);
}

TEST(WorkQueueTest, ThreadsTogetherTakeEveryKeyOnce) {
  constexpr int kKeys = 200;
  ManualClock clock{TimePoint{}};
  WorkQueue queue(&clock);
  std::stop_source stop;
  std::mutex mutex;
  std::set<std::string> seen;
  const auto work = [&] {
    while (const auto key = queue.Take(stop.get_token())) {
      const std::lock_guard lock(mutex);
      EXPECT_TRUE(seen.insert(*key).second);
      queue.Done(*key);
      if (seen.size() == kKeys) stop.request_stop();
    }
  };
  {
    const std::vector<std::jthread> threads = [&] {
      std::vector<std::jthread> started;
      for (int i = 0; i < 4; ++i) started.emplace_back(work);
      return started;
    }();
    for (int i = 0; i < kKeys; ++i) queue.Add("ns/" + std::to_string(i));
  }
  EXPECT_EQ(seen.size(), static_cast<size_t>(kKeys));
}

}  // namespace
}  // namespace millrace::controller
