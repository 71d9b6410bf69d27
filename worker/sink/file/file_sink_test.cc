#include "worker/sink/file/file_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <filesystem>
#include <fstream>

#include "worker/sink/file/file_sink_fixture.h"

namespace millrace::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Pair;

class FileSinkTest : public FileSinkFixture {};

TEST_F(FileSinkTest, WritesOneFilePerUnitAndCommitsAfterwards) {
  const auto sink = MakeFileSink(path_);
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  EXPECT_EQ(Committed(), "{\"batch\": 0}\n");
  ASSERT_TRUE(DeliverWords(*sink, 1).ok());
  EXPECT_THAT(Visible(), ElementsAre(Pair("counts-s.count-0-1-aaaaaaaa.json", HasSubstr("\"a\"")),
                                     Pair("counts-s.count-1-1-aaaaaaaa.json", HasSubstr("\"b\""))));
  EXPECT_EQ(Committed(), "{\"batch\": 0}\n");
  ASSERT_TRUE(sink->Committed(1).ok());
  EXPECT_EQ(Committed(), "{\"batch\": 1}\n");
  EXPECT_TRUE(std::filesystem::is_empty(path_ + "/_staging/1-a"));
}

TEST_F(FileSinkTest, EmptyPartsAndRemovedRowsWriteNoFile) {
  const auto sink = MakeFileSink(path_, api::CsvFormat{.header = true});
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  const std::vector<SinkPart> parts{WordPart("s", 0, {}),
                                    WordPart("s", 1, {{"x", 1, true}}),
                                    {"s", 2, {}},
                                    WordPart("s", 3, {{"x", 1, true}, {"y", 2}})};
  ASSERT_TRUE(sink->Deliver(BatchOf(1), parts, &rejected_).ok());
  EXPECT_THAT(Visible(), ElementsAre(Pair("counts-s-3-1-aaaaaaaa.csv", "word,count\ny,2\n")));
}

TEST_F(FileSinkTest, DeliversAgainOnlyWhatIsMissing) {
  const auto first = MakeFileSink(path_);
  ASSERT_TRUE(first->Open(SoleSeat("1-a", 0)).ok());
  ASSERT_TRUE(first->Deliver(BatchOf(1), {WordPart("s.count", 0, {{"kept", 1}})}, &rejected_).ok());
  const auto second = MakeFileSink(path_);
  ASSERT_TRUE(second->Open(SoleSeat("2-b", 0)).ok());
  EXPECT_EQ(second->ReadLedger()->batch, 1);
  ASSERT_TRUE(DeliverWords(*second, 1).ok());
  EXPECT_THAT(Visible(), ElementsAre(Pair("counts-s.count-0-1-aaaaaaaa.json", HasSubstr("kept")),
                                     Pair("counts-s.count-1-1-aaaaaaaa.json", HasSubstr("\"b\""))));
}

TEST_F(FileSinkTest, OlderGenerationCanPublishNothingMore) {
  const auto old_sink = MakeFileSink(path_);
  ASSERT_TRUE(old_sink->Open(SoleSeat("1-a", 0)).ok());
  const auto new_sink = MakeFileSink(path_);
  ASSERT_TRUE(new_sink->Open(SoleSeat("2-b", 0)).ok());
  EXPECT_EQ(DeliverWords(*old_sink, 1).code(), StatusCode::kAborted);
  EXPECT_THAT(Visible(), IsEmpty());
  EXPECT_TRUE(DeliverWords(*new_sink, 1).ok());
}

TEST_F(FileSinkTest, NeverHoldsTwoHistoriesOfABatch) {
  const auto sink = MakeFileSink(path_);
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  ASSERT_TRUE(DeliverWords(*sink, 1).ok());
  const auto other = MakeFileSink(path_);
  ASSERT_TRUE(other->Open(SoleSeat("2-b", 0)).ok());
  const Status status = DeliverWords(*other, 1, kOtherDigest);
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("StateRolledBack"));
  EXPECT_EQ(Visible().size(), 2u);
}

TEST_F(FileSinkTest, LeavesCommittedFilesOfAnyHistoryAlone) {
  const auto sink = MakeFileSink(path_);
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  ASSERT_TRUE(DeliverWords(*sink, 1, kOtherDigest).ok());
  ASSERT_TRUE(sink->Committed(1).ok());
  const auto next = MakeFileSink(path_);
  ASSERT_TRUE(next->Open(SoleSeat("2-b", 1)).ok());
  EXPECT_EQ(next->ReadLedger()->batch, 0);
  ASSERT_TRUE(DeliverWords(*next, 2).ok());
  EXPECT_EQ(Visible().size(), 4u);
}

TEST_F(FileSinkTest, ReportsBatchesThatReadersSawAndRemoved) {
  const auto sink = MakeFileSink(path_);
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 7)).ok());
  const auto behind = MakeFileSink(path_);
  ASSERT_TRUE(behind->Open(SoleSeat("2-b", 3)).ok());
  EXPECT_EQ(behind->ReadLedger()->batch, 7);
  EXPECT_EQ(Committed(), "{\"batch\": 7}\n");
}

TEST_F(FileSinkTest, RoutesRowsToFolders) {
  const auto sink = MakeFileSink(path_, api::JsonFormat{}, "word");
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  const std::vector<SinkPart> parts{
      WordPart("s", 0, {{"x/y", 1}, {"z", 2}, {"x/y", 3}, {"../up", 4}, {"/abs", 5}, {"_no", 6}})};
  ASSERT_TRUE(sink->Deliver(BatchOf(1), parts, &rejected_).ok());
  EXPECT_THAT(Visible(), ElementsAre(Pair("x/y/counts-s-0-1-aaaaaaaa.json",
                                          testing::AllOf(HasSubstr("1"), HasSubstr("3"))),
                                     Pair("z/counts-s-0-1-aaaaaaaa.json", HasSubstr("2"))));
  ASSERT_EQ(rejected_.size(), 3u);
  EXPECT_EQ(rejected_[0].reason, "Encode");
  EXPECT_THAT(rejected_[0].value, HasSubstr("word"));
  EXPECT_FALSE(std::filesystem::exists(root_ + "/out/up"));

  const auto next = MakeFileSink(path_, api::JsonFormat{}, "word");
  ASSERT_TRUE(next->Open(SoleSeat("2-b", 0)).ok());
  EXPECT_EQ(next->ReadLedger()->batch, 1) << "folders are searched";
}

TEST_F(FileSinkTest, CompressesWithSuffix) {
  for (const Codec codec : {Codec::kGzip, Codec::kZstd}) {
    const auto sink = MakeFileSink(path_, api::JsonFormat{}, "", codec);
    const int64_t batch = codec == Codec::kGzip ? 1 : 2;
    ASSERT_TRUE(sink->Open(SoleSeat("1-" + std::to_string(batch), batch - 1)).ok());
    ASSERT_TRUE(sink->Deliver(BatchOf(batch), {WordPart("s", 0, {{"x", 1}})}, &rejected_).ok());
    const std::string name =
        "counts-s-0-" + std::to_string(batch) + "-aaaaaaaa.json" + std::string(CodecSuffix(codec));
    const Result<std::string> text = Decompress(codec, Visible()[name], 1000);
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_THAT(*text, HasSubstr("\"x\""));
  }
}

TEST_F(FileSinkTest, FullDiskFailsTheBatchAndShowsNothing) {
  const auto sink = MakeFileSink(path_);
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  std::vector<WordRow> rows(20'000, {"word", 1});
  signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{4096, before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  const Status status =
      sink->Deliver(BatchOf(1), {WordPart("s", 0, {{"a", 1}}), WordPart("s", 1, rows)}, &rejected_);
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_TRUE(status.retryable()) << status;
  EXPECT_THAT(status.message(), HasSubstr("write " + path_ + "/_staging/1-a/counts."));
  EXPECT_THAT(Visible(), IsEmpty());
  EXPECT_TRUE(
      sink->Deliver(BatchOf(1), {WordPart("s", 0, {{"a", 1}}), WordPart("s", 1, rows)}, &rejected_)
          .ok());
  EXPECT_EQ(Visible().size(), 2u) << "the same batch succeeds once there is room";
}

TEST_F(FileSinkTest, FullDiskKeepsTheCommittedBatchUnannouncedUntilThereIsRoom) {
  const auto sink = MakeFileSink(path_);
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  ASSERT_TRUE(DeliverWords(*sink, 1).ok());
  std::filesystem::create_directory(path_ + "/_committed.tmp");  // as root, modes refuse nothing
  const Status status = sink->Committed(1);
  EXPECT_TRUE(status.retryable()) << status;
  EXPECT_THAT(status.message(), HasSubstr("create " + path_ + "/_committed.tmp: Is a directory"));
  EXPECT_EQ(Committed(), "{\"batch\": 0}\n");
  std::filesystem::remove(path_ + "/_committed.tmp");
  EXPECT_TRUE(sink->Committed(1).ok());
  EXPECT_EQ(Committed(), "{\"batch\": 1}\n");
}

TEST_F(FileSinkTest, FolderThatIsAFileIsNotTriedForEver) {
  const auto sink = MakeFileSink(path_, api::JsonFormat{}, "word");
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  std::ofstream(path_ + "/a") << "in the way";
  const Status status = DeliverWords(*sink, 1);
  EXPECT_EQ(status.code(), StatusCode::kInvalid);
  EXPECT_EQ(status.message(), "file sink: create folder " + path_ + "/a: Not a directory");
}

TEST_F(FileSinkTest, RefusesTwoPartsOfOneTask) {
  const auto sink = MakeFileSink(path_);
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  EXPECT_FALSE(sink->Deliver(BatchOf(1),
                             {WordPart("s", 0, {{"a", 1}}), WordPart("s", 0, {{"b", 1}})},
                             &rejected_)
                   .ok());
}

// ---- crashes
// --------------------------------------------------------------------------------------------------

std::vector<SinkPart> CrashParts() {
  return {WordPart("s", 0, {{"x", 0}, {"y", 0}}), WordPart("s", 1, {{"x", 1}}),
          WordPart("s", 2, {{"z", 2}})};
}

// Runs in a process of its own, which a failpoint kills.
TEST(FileSinkCrashChild, DISABLED_DeliverAndCommit) {
  const auto sink = MakeFileSink(std::getenv("MILLRACE_TEST_PATH"), api::JsonFormat{}, "word");
  std::vector<RejectedRow> rejected;
  ASSERT_TRUE(sink->Open(SoleSeat("1-a", 0)).ok());
  ASSERT_TRUE(sink->Deliver(BatchOf(1), CrashParts(), &rejected).ok());
  ASSERT_TRUE(sink->Committed(1).ok());
}

int RunCrashChild(const std::string& path, const std::string& failpoint) {
  const pid_t pid = fork();
  if (pid == 0) {
    setenv("MILLRACE_TEST_PATH", path.c_str(), 1);
    setenv("MILLRACE_FAILPOINT", failpoint.c_str(), 1);
    execl("/proc/self/exe", "sink_test", "--gtest_filter=FileSinkCrashChild.*",
          "--gtest_also_run_disabled_tests", "--gtest_brief=1", nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return status;
}

TEST_F(FileSinkTest, EveryCrashLeavesEachRowOnceAfterTheNextDelivery) {
  std::vector<std::string> steps{"none:1", "file_sink.before_committed:1"};
  for (int i = 1; i <= 4; ++i) {
    steps.push_back("file_sink.before_rename:" + std::to_string(i));
    steps.push_back("file_sink.after_rename:" + std::to_string(i));
  }
  for (const std::string& step : steps) {
    std::filesystem::remove_all(path_);
    const int status = RunCrashChild(path_, step);
    ASSERT_EQ(WIFSIGNALED(status), step != "none:1") << step;
    const bool committed = Committed() == "{\"batch\": 1}\n";
    ASSERT_EQ(committed, step == "none:1") << step;

    const auto sink = MakeFileSink(path_, api::JsonFormat{}, "word");
    ASSERT_TRUE(sink->Open(SoleSeat("2-b", 0)).ok()) << step;
    ASSERT_TRUE(sink->Deliver(BatchOf(1), CrashParts(), &rejected_).ok()) << step;
    ASSERT_TRUE(sink->Committed(1).ok()) << step;
    EXPECT_THAT(Visible(),
                ElementsAre(Pair("x/counts-s-0-1-aaaaaaaa.json", "{\"word\":\"x\",\"count\":0}\n"),
                            Pair("x/counts-s-1-1-aaaaaaaa.json", "{\"word\":\"x\",\"count\":1}\n"),
                            Pair("y/counts-s-0-1-aaaaaaaa.json", "{\"word\":\"y\",\"count\":0}\n"),
                            Pair("z/counts-s-2-1-aaaaaaaa.json", "{\"word\":\"z\",\"count\":2}\n")))
        << step;
    EXPECT_EQ(Committed(), "{\"batch\": 1}\n") << step;
    EXPECT_FALSE(std::filesystem::exists(path_ + "/_staging/1-a")) << step;
  }
}

}  // namespace
}  // namespace millrace::worker
