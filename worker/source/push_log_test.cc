#include "worker/source/push_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "worker/source/source_testing.h"

namespace millrace::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempFolder;

std::unique_ptr<PushLog> Open(const std::string& directory, uint64_t segment_bytes = 1 << 20) {
  PushLogOptions options;
  options.directory = directory;
  options.segment_bytes = segment_bytes;
  auto log = PushLog::Open(options, 0);
  EXPECT_TRUE(log.ok()) << log.status();
  return log.ok() ? std::move(log).value() : nullptr;
}

void Add(PushLog* log, std::vector<std::string_view> records) {
  const Status status = log->Append(records);
  ASSERT_TRUE(status.ok()) << status;
}

std::vector<std::string> All(const PushLog& log, uint64_t from, uint64_t to) {
  std::vector<std::string> records;
  const Status status = log.Read(from, to, [&](RawRecords raw) {
    for (const auto payload : raw.payloads) records.emplace_back(payload);
    return OkStatus();
  });
  EXPECT_TRUE(status.ok()) << status;
  return records;
}

std::string OnlySegment(const TempFolder& folder) {
  const auto names = ListDirectory(folder.path());
  EXPECT_EQ(names->size(), 1u);
  return folder / names->front();
}

TEST(PushLogTest, KeepsRecordsAndDigestsOverARestart) {
  const TempFolder folder;
  std::vector<std::string> digests;
  {
    auto log = Open(folder.path());
    Add(log.get(), {"a", "", "ccc"});
    Add(log.get(), {"d"});
    for (uint64_t i = 0; i <= 4; ++i) digests.push_back(*log->DigestAt(i));
  }
  auto log = Open(folder.path());
  EXPECT_EQ(log->end(), 4u);
  EXPECT_THAT(All(*log, 1, 4), ElementsAre("", "ccc", "d"));
  for (uint64_t i = 0; i <= 4; ++i) EXPECT_EQ(*log->DigestAt(i), digests[i]) << i;
}

TEST(PushLogTest, DigestsTellHistoriesApart) {
  auto a = Open(""), b = Open("");
  Add(a.get(), {"x", "y"});
  Add(b.get(), {"x", "z"});
  EXPECT_EQ(*a->DigestAt(1), *b->DigestAt(1));
  EXPECT_NE(*a->DigestAt(2), *b->DigestAt(2));
}

TEST(PushLogTest, DropsOnlyAGroupThatWasCutAtTheVeryEnd) {
  for (const int cut : {1, 5, 14}) {
    const TempFolder folder;
    {
      auto log = Open(folder.path());
      Add(log.get(), {"one"});
      Add(log.get(), {"two"});
    }
    const std::string path = OnlySegment(folder);
    const std::string bytes = *ReadFile(path, 1 << 20);
    ASSERT_EQ(::truncate(path.c_str(), static_cast<off_t>(bytes.size()) - cut), 0);
    auto log = Open(folder.path());
    EXPECT_EQ(log->end(), 1u) << cut;
    Add(log.get(), {"three"});
    EXPECT_THAT(All(*log, 0, 2), ElementsAre("one", "three"));
  }
}

TEST(PushLogTest, RefusesDamageInTheMiddle) {
  const TempFolder folder;
  {
    auto log = Open(folder.path());
    Add(log.get(), {"one"});
    Add(log.get(), {"two"});
  }
  const std::string path = OnlySegment(folder);
  std::string bytes = *ReadFile(path, 1 << 20);
  bytes[bytes.find("one")] = 'O';
  folder.Write(path.substr(folder.path().size() + 1), bytes);
  PushLogOptions options;
  options.directory = folder.path();
  const auto log = PushLog::Open(options, 0);
  EXPECT_EQ(log.status().code(), StatusCode::kGone);
  EXPECT_THAT(log.status().message(), HasSubstr("StateLost"));
}

TEST(PushLogTest, RollsAndTrimsSegments) {
  const TempFolder folder;
  auto log = Open(folder.path(), 1000);
  const std::string record(300, 'x');
  for (int i = 0; i < 20; ++i) Add(log.get(), {record});
  EXPECT_GT(ListDirectory(folder.path())->size(), 4u);
  const std::string digest = *log->DigestAt(20);
  log->Trim(18);
  EXPECT_EQ(log->first(), 18u);
  EXPECT_LE(ListDirectory(folder.path())->size(), 2u);
  log.reset();
  log = Open(folder.path(), 1000);
  EXPECT_EQ(*log->DigestAt(20), digest);
  EXPECT_LE(log->first(), 18u);
  log->Trim(20);
  EXPECT_EQ(log->Read(17, 20, [](RawRecords) { return OkStatus(); }).code(), StatusCode::kGone);
}

TEST(PushLogTest, RefusesWhenFullAndServesAgainAfterATrim) {
  PushLogOptions options;
  options.max_bytes = 100;
  auto log = *PushLog::Open(options, 7);
  const std::string_view record = "0123456789012345678901234567890123456789";
  Add(log.get(), {record, record});
  EXPECT_EQ(log->Append(std::span(&record, 1)).code(), StatusCode::kUnavailable);
  EXPECT_EQ(log->end(), 9u);
  log->Trim(9);
  Add(log.get(), {record});
  EXPECT_THAT(All(*log, 9, 10), ElementsAre(std::string(record)));
}

TEST(PushLogTest, NumbersRecordsOfConcurrentWritersWithoutGaps) {
  const TempFolder folder;
  auto log = Open(folder.path());
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < 4; ++w) {
      writers.emplace_back([&log, w] {
        for (int i = 0; i < 25; ++i) {
          const std::string text = std::to_string(w) + ":" + std::to_string(i);
          Add(log.get(), {text});
        }
      });
    }
  }
  EXPECT_EQ(log->end(), 100u);
  std::vector<int> next(4, 0);
  for (const std::string& record : All(*log, 0, 100)) {
    const auto writer = static_cast<size_t>(record[0] - '0');
    EXPECT_EQ(record.substr(2), std::to_string(next[writer]++));
  }
}

}  // namespace
}  // namespace millrace::worker
