#include "worker/runtime/query/local_committed_state.h"

#include <gtest/gtest.h>

#include <future>

namespace millrace::worker {
namespace {

class LocalCommittedStateTest : public ::testing::Test {
 protected:
  LocalCommittedStateTest() {
    parts_.job = std::make_unique<api::StreamingJob>();
    parts_.job->spec.sources.resize(1);
    parts_.coordinator = MakeMemoryCoordinator("id");
    parts_.record = parts_.coordinator->Open().value();
  }
  // Writes a blob of unit 3 and commits it as a batch.
  void Commit(LocalCommittedState* state, int64_t batch, const std::string& bytes) {
    BatchInfo info;
    info.plan.batch = batch;
    info.plan.batch_time = TimePoint(std::chrono::seconds(batch));
    info.plan.sources.resize(1);
    info.plan.sources[0].watermark = TimePoint(std::chrono::seconds(batch - 1));
    EXPECT_TRUE(parts_.coordinator->AppendPlan(info.plan).ok());
    EXPECT_TRUE(parts_.coordinator->state().PutDelta("s", 3, bytes).ok());
    CommitPoint commit;
    commit.batch = batch;
    commit.digest = parts_.coordinator->plan_digest();
    EXPECT_TRUE(parts_.coordinator->Commit(commit).ok());
    state->OnBatchCommitted(info);
  }

  JobParts parts_;
};

TEST_F(LocalCommittedStateTest, AnswersFromTheCommitThatComesNext) {
  LocalCommittedState state(&parts_);
  auto answer = std::async(std::launch::async, [&] { return state.Open("s", {3, 4}); });
  int64_t batch = 0;
  while (answer.wait_for(std::chrono::seconds(0)) != std::future_status::ready)
    Commit(&state, ++batch, "x");
  const auto view = answer.get();
  ASSERT_TRUE(view.ok()) << view.status();
  EXPECT_LE((*view)->batch(), batch);
  EXPECT_EQ((*view)->batch_time(), TimePoint(std::chrono::seconds((*view)->batch())));
  EXPECT_EQ((*view)->watermarks()[0], TimePoint(std::chrono::seconds((*view)->batch() - 1)));
  const auto blobs = (*view)->Load({4, 3});
  EXPECT_TRUE((*blobs)[0].deltas.empty());
  EXPECT_EQ((*blobs)[1].deltas.size(), static_cast<size_t>((*view)->batch()));
}

TEST_F(LocalCommittedStateTest, AnswersAtIdleTicksToo) {
  LocalCommittedState state(&parts_);
  Commit(&state, 1, "x");
  auto answer = std::async(std::launch::async, [&] { return state.Open("s", {3}); });
  while (answer.wait_for(std::chrono::seconds(0)) != std::future_status::ready) state.OnIdle(0);
  EXPECT_EQ((*answer.get())->batch(), 1);
}

TEST_F(LocalCommittedStateTest, WhoeverWaitsHearsTheEnd) {
  LocalCommittedState state(&parts_);
  auto answer = std::async(std::launch::async, [&] { return state.Open("s", {3}); });
  state.Close();
  EXPECT_EQ(answer.get().status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace millrace::worker
