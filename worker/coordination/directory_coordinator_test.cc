#include "worker/coordination/directory_coordinator.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace millrace::worker {
namespace {

// A folder that disappears with the test.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "millrace-test-XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

BatchPlan PlanOf(int64_t batch) {
  BatchPlan plan;
  plan.batch = batch;
  plan.batch_time = TimePoint(std::chrono::seconds(batch));
  plan.sources = {{"lines", "cursor", TimePoint::min(), {{0, "a", "b", "p", 3}}}};
  return plan;
}

void CommitOne(Coordinator& job, int64_t batch, const std::string& delta) {
  ASSERT_TRUE(job.AppendPlan(PlanOf(batch)).ok());
  ASSERT_TRUE(job.state().PutDelta("count", 7, delta).ok());
  CommitPoint commit;
  commit.batch = batch;
  commit.digest = job.plan_digest();
  commit.sources["lines"].offsets[0] = std::to_string(batch);
  const Status status = job.Commit(commit);
  ASSERT_TRUE(status.ok()) << status;
}

TEST(DirectoryCoordinatorTest, FindsCommitsAndStateAfterARestart) {
  const TemporaryFolder folder;
  std::string job_id;
  {
    DirectoryCoordinator job(folder.path());
    const Result<JobRecord> record = job.Open();
    ASSERT_TRUE(record.ok()) << record.status();
    EXPECT_TRUE(record->first_run);
    job_id = record->job_id;
    CommitOne(job, 1, "one");
    CommitOne(job, 2, "two");
  }
  DirectoryCoordinator job(folder.path());
  const Result<JobRecord> record = job.Open();
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->job_id, job_id);
  EXPECT_EQ(record->commit.batch, 2);
  EXPECT_EQ(record->commit.sources.at("lines").offsets.at(0), "2");
  const Result<UnitBlobs> blobs = job.state().Load("count", 7);
  ASSERT_TRUE(blobs.ok());
  EXPECT_EQ(blobs->deltas, (std::vector<std::string>{"one", "two"}));
}

TEST(DirectoryCoordinatorTest, GivesEveryOpenANewGenerationWithAHigherFence) {
  const TemporaryFolder folder;
  std::vector<std::string> generations;
  for (int i = 0; i < 3; ++i)
    generations.push_back(DirectoryCoordinator(folder.path()).Open()->generation);
  EXPECT_TRUE(generations[0].starts_with("1-"));
  EXPECT_TRUE(generations[2].starts_with("3-"));
}

TEST(DirectoryCoordinatorTest, KeepsAPlanWithoutItsCommit) {
  const TemporaryFolder folder;
  {
    DirectoryCoordinator job(folder.path());
    ASSERT_TRUE(job.Open().ok());
    CommitOne(job, 1, "one");
    ASSERT_TRUE(job.AppendPlan(PlanOf(2)).ok());
    ASSERT_TRUE(job.state().PutDelta("count", 7, "lost").ok());
    ASSERT_TRUE(job.SyncPlan().ok());
  }
  DirectoryCoordinator job(folder.path());
  const Result<JobRecord> record = job.Open();
  ASSERT_TRUE(record->pending.has_value());
  EXPECT_EQ(record->pending->batch, 2);
  EXPECT_EQ(job.state().Load("count", 7)->deltas, std::vector<std::string>{"one"});
}

TEST(DirectoryCoordinatorTest, CutsATornTail) {
  const TemporaryFolder folder;
  {
    DirectoryCoordinator job(folder.path());
    ASSERT_TRUE(job.Open().ok());
    CommitOne(job, 1, "one");
  }
  const std::string path = folder.path() + "/log-1";
  const auto whole = std::filesystem::file_size(path);
  {
    DirectoryCoordinator job(folder.path());
    ASSERT_TRUE(job.Open().ok());
    CommitOne(job, 2, std::string(100, 'x'));
  }
  const auto longer = std::filesystem::file_size(path);
  for (auto size = longer - 1; size > whole + 60; size -= 7) {
    const TemporaryFolder copy;
    std::filesystem::copy_file(path, copy.path() + "/log-1");
    std::filesystem::resize_file(copy.path() + "/log-1", size);
    DirectoryCoordinator job(copy.path());
    const Result<JobRecord> record = job.Open();
    ASSERT_TRUE(record.ok()) << record.status() << " cut to " << size;
    EXPECT_EQ(record->commit.batch, 1);
  }
}

TEST(DirectoryCoordinatorTest, CutsZerosThatAPowerLossLeft) {
  const TemporaryFolder folder;
  {
    DirectoryCoordinator job(folder.path());
    ASSERT_TRUE(job.Open().ok());
    CommitOne(job, 1, "one");
  }
  std::ofstream(folder.path() + "/log-1", std::ios::app | std::ios::binary)
      << std::string(4096, '\0');
  DirectoryCoordinator job(folder.path());
  const Result<JobRecord> record = job.Open();
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->commit.batch, 1);
}

TEST(DirectoryCoordinatorTest, NeverTakesADamagedLengthForATornTail) {
  const TemporaryFolder folder;
  const std::string path = folder.path() + "/log-1";
  uintmax_t size = 0;  // without the last batch, whose records are the tail
  {
    DirectoryCoordinator job(folder.path());
    ASSERT_TRUE(job.Open().ok());
    CommitOne(job, 1, "one");
    size = std::filesystem::file_size(path);
    CommitOne(job, 2, "two");
  }
  for (uintmax_t at = 0; at < size; ++at) {
    const TemporaryFolder copy;
    std::filesystem::copy_file(path, copy.path() + "/log-1");
    std::fstream file(copy.path() + "/log-1", std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(static_cast<std::streamoff>(at));
    const char byte = static_cast<char>(file.get() ^ 0x41);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
    file.close();
    DirectoryCoordinator job(copy.path());
    EXPECT_FALSE(job.Open().ok()) << "byte " << at;
  }
}

TEST(DirectoryCoordinatorTest, StopsAtDamageInTheMiddle) {
  const TemporaryFolder folder;
  {
    DirectoryCoordinator job(folder.path());
    ASSERT_TRUE(job.Open().ok());
    CommitOne(job, 1, std::string(1000, 'x'));
    CommitOne(job, 2, "two");
  }
  std::fstream file(folder.path() + "/log-1", std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(600);
  file.put('!');
  file.close();
  DirectoryCoordinator job(folder.path());
  const Result<JobRecord> record = job.Open();
  ASSERT_FALSE(record.ok());
  EXPECT_TRUE(record.status().message().starts_with("StateLost: ")) << record.status();
}

TEST(DirectoryCoordinatorTest, RefusesASecondProcess) {
  const TemporaryFolder folder;
  DirectoryCoordinator first(folder.path());
  ASSERT_TRUE(first.Open().ok());
  DirectoryCoordinator second(folder.path());
  EXPECT_EQ(second.Open().status().code(), StatusCode::kConflict);
}

TEST(DirectoryCoordinatorTest, RefusesPlansAndCommitsOutOfOrder) {
  const TemporaryFolder folder;
  DirectoryCoordinator job(folder.path());
  ASSERT_TRUE(job.Open().ok());
  EXPECT_EQ(job.AppendPlan(PlanOf(2)).code(), StatusCode::kConflict);
  ASSERT_TRUE(job.AppendPlan(PlanOf(1)).ok());
  CommitPoint other;
  other.batch = 1;
  other.digest = "another plan";
  EXPECT_EQ(job.Commit(other).code(), StatusCode::kConflict);
}

TEST(DirectoryCoordinatorTest, ForgetsBlobsOfAFailedAttempt) {
  const TemporaryFolder folder;
  DirectoryCoordinator job(folder.path());
  ASSERT_TRUE(job.Open().ok());
  ASSERT_TRUE(job.state().PutDelta("count", 7, "failed").ok());
  job.Discard();
  CommitOne(job, 1, "good");
  EXPECT_EQ(job.state().Load("count", 7)->deltas, std::vector<std::string>{"good"});
}

TEST(DirectoryCoordinatorTest, RewritesTheLogWhenMostOfItIsGarbage) {
  const TemporaryFolder folder;
  const std::string big(1 << 20, 'x');
  {
    DirectoryCoordinator job(folder.path());
    ASSERT_TRUE(job.Open().ok());
    for (int64_t batch = 1; batch <= 60; ++batch) {
      ASSERT_TRUE(job.state().PutSnapshot("big", 0, big).ok());
      CommitOne(job, batch, "d" + std::to_string(batch));
    }
  }
  EXPECT_FALSE(std::filesystem::exists(folder.path() + "/log-1"));
  DirectoryCoordinator job(folder.path());
  const Result<JobRecord> record = job.Open();
  ASSERT_TRUE(record.ok()) << record.status();
  EXPECT_EQ(record->commit.batch, 60);
  EXPECT_EQ(job.state().Load("big", 0)->snapshot, big);
  EXPECT_EQ(job.state().Load("count", 7)->deltas.size(), 60u);
}

TEST(DirectoryCoordinatorTest, KeepsTheNamedVersionOfATable) {
  const TemporaryFolder folder;
  {
    DirectoryCoordinator job(folder.path());
    ASSERT_TRUE(job.Open().ok());
    ASSERT_TRUE(job.PutTable("rules", "v1", "old").ok());
    ASSERT_TRUE(job.PutTable("rules", "v2", "new").ok());
    CommitOne(job, 1, "one");
  }
  DirectoryCoordinator job(folder.path());
  ASSERT_TRUE(job.Open().ok());
  EXPECT_EQ(*job.GetTable("rules", "v2"), "new");
  EXPECT_FALSE(job.GetTable("rules", "v1").ok());
}

}  // namespace
}  // namespace millrace::worker
