#include "worker/source/file/file_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <map>

#include "worker/client/compression.h"
#include "worker/source/file/file_testing.h"
#include "worker/source/line_buffer.h"
#include "worker/source/source_testing.h"

namespace millrace::worker {
namespace {

using testing::CollectingConsumer;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using testing::SourceDriver;
using testing::Spec;
using testing::Started;
using testing::TempFolder;
using ::testing::UnorderedElementsAre;

std::string Numbered(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "line " + std::to_string(i) + "\n";
  return text;
}

TEST(FileSourceTest, ReadsEachFileOnceAndNewOnesWhileRunning) {
  const TempFolder folder;
  folder.Write("a.txt", "1\n2\r\n3");
  auto source = Started(Spec(folder.path()));
  SourceDriver driver(source.get());
  EXPECT_THAT(driver.NextBatch(), ElementsAre("1", "2", "3"));
  EXPECT_THAT(driver.NextBatch(), IsEmpty());
  folder.Write("b.txt", "4\n");
  EXPECT_THAT(driver.NextBatch(), ElementsAre("4"));
  EXPECT_FALSE(driver.ended);
}

TEST(FileSourceTest, DoesNotReadARenamedFileAgainButANewFileUnderItsName) {
  const TempFolder folder;
  folder.Write("a.txt", "old\n");
  auto source = Started(Spec(folder.path()));
  SourceDriver driver(source.get());
  EXPECT_THAT(driver.NextBatch(), ElementsAre("old"));
  std::rename((folder / "a.txt").c_str(), (folder / "b.txt").c_str());
  EXPECT_THAT(driver.NextBatch(), IsEmpty());
  folder.Write("a.txt", "new\n");
  EXPECT_THAT(driver.NextBatch(), ElementsAre("new"));
}

TEST(FileSourceTest, SkipsHiddenNamesFoldersAndEmptyFiles) {
  const TempFolder folder;
  folder.Write(".part", "x\n");
  folder.Write("_tmp", "x\n");
  folder.Write("empty", "");
  ASSERT_TRUE(MakeDirectories(folder / "sub").ok());
  folder.Write("a", "1\n");
  auto source = Started(Spec(folder.path()));
  EXPECT_THAT(SourceDriver(source.get()).NextBatch(), ElementsAre("1"));
}

TEST(FileSourceTest, EndsWhenEverythingIsReadWithoutWatch) {
  const TempFolder folder;
  api::FileSource spec = Spec(folder.path() + "/*.log");
  spec.watch = false;
  EXPECT_EQ(FileSource(spec, {}).Start({}).code(), StatusCode::kInvalid);
  folder.Write("a.log", "1\n");
  folder.Write("b.txt", "2\n");
  auto source = Started(spec);
  SourceDriver driver(source.get());
  EXPECT_THAT(driver.NextBatch(), ElementsAre("1"));
  EXPECT_TRUE(driver.ended);
}

TEST(FileSourceTest, StartsWithLaterFilesWhenAsked) {
  const TempFolder folder;
  folder.Write("a", "1\n");
  api::FileSource spec = Spec(folder.path());
  spec.start_from = api::FileSource::Start::kLatest;
  auto source = Started(spec);
  SourceDriver driver(source.get());
  EXPECT_THAT(driver.NextBatch(), IsEmpty());
  folder.Write("b", "2\n");
  EXPECT_THAT(driver.NextBatch(), ElementsAre("2"));
}

TEST(FileSourceTest, TakesOldestFilesFirstUpToTheLimit) {
  const TempFolder folder;
  for (const char* name : {"a", "b", "c"}) folder.Write(name, std::string(name) + "\n");
  folder.SetModified("c", 1000);
  folder.SetModified("a", 2000);
  folder.SetModified("b", 3000);
  api::FileSource spec = Spec(folder.path());
  spec.max_files_per_batch = 2;
  auto source = Started(spec);
  SourceDriver driver(source.get());
  EXPECT_THAT(driver.NextBatch(), UnorderedElementsAre("c", "a"));
  EXPECT_THAT(driver.NextBatch(), ElementsAre("b"));
}

TEST(FileSourceTest, CutsFilesBetweenLinesWhenTheRateIsLimited) {
  const TempFolder folder;
  folder.Write("a", Numbered(5000));
  auto source = Started(Spec(folder.path()));
  SourceDriver driver(source.get());
  std::vector<std::string> all;
  int batches = 0;
  for (auto batch = driver.NextBatch(100); !batch.empty(); batch = driver.NextBatch(100)) {
    EXPECT_LT(batch.size(), 1500u);
    all.insert(all.end(), batch.begin(), batch.end());
    ++batches;
  }
  EXPECT_GT(batches, 20);
  ASSERT_EQ(all.size(), 5000u);
  for (int i = 0; i < 5000; ++i)
    ASSERT_EQ(all[static_cast<size_t>(i)], "line " + std::to_string(i));
}

TEST(FileSourceTest, FinishesAFileBeforeTheNextOfItsLane) {
  const TempFolder folder;
  for (int file = 0; file < 40; ++file) {
    const std::string name = std::to_string(100 + file);
    std::string text;
    for (int i = 0; i < 60; ++i)
      text += name + "." + std::to_string(100 + i) + (i % 3 == 0 ? " and more\n" : "\n");
    folder.Write(name, text);
    folder.SetModified(name, 1000 + file);
  }
  auto source = Started(Spec(folder.path()));
  SourceDriver driver(source.get());
  std::map<int, std::string> newest;  // by lane
  while (true) {
    ASSERT_TRUE(driver.Plan(20).ok());
    if (driver.last.empty()) break;
    for (const PartitionRange& range : driver.last) {
      CollectingConsumer consumer;
      ASSERT_TRUE(source->Read(range, &consumer).ok());
      for (const std::string& record : consumer.records) {
        EXPECT_GT(record, newest[range.partition])
            << "overtook an older record of lane " << range.partition;
        newest[range.partition] = record;
      }
    }
  }
  EXPECT_EQ(newest.size(), 8u);
}

TEST(FileSourceTest, CutsALargeFileOverAllLanesInOrder) {
  const TempFolder folder;
  const int count = 3'000'000;  // about 37 MB
  folder.Write("a", Numbered(count));
  auto source = Started(Spec(folder.path()), {Framing::kLines, false, false, true});
  SourceDriver driver(source.get());
  const auto offer = driver.Plan();
  ASSERT_TRUE(offer.ok()) << offer.status();
  EXPECT_GT(offer->ranges.size(), 3u);
  int64_t next = 0;
  for (const PartitionRange& range : offer->ranges) {
    CollectingConsumer consumer;
    ASSERT_TRUE(source->Read(range, &consumer).ok());
    for (size_t i = 0; i < consumer.records.size(); ++i, ++next) {
      ASSERT_EQ(consumer.records[i], "line " + std::to_string(next));
      ASSERT_EQ(consumer.hidden_ints[i], next + 1);
    }
  }
  EXPECT_EQ(next, count);
}

TEST(FileSourceTest, ReplaysARangeAlikeAfterARestart) {
  const TempFolder folder;
  folder.Write("a", Numbered(1000));
  auto first = Started(Spec(folder.path()));
  SourceDriver driver(first.get());
  const auto before = driver.NextBatch(50);
  const PartitionRange range = driver.last.front();
  auto second = Started(Spec(folder.path()), {}, driver.position);
  CollectingConsumer consumer;
  ASSERT_TRUE(second->Read(range, &consumer).ok());
  EXPECT_EQ(consumer.records, before);
  SourceDriver next(second.get());
  next.position = driver.position;
  EXPECT_EQ(next.NextBatch(50).front(), "line " + std::to_string(before.size()));
}

TEST(FileSourceTest, FindsAPlannedFileUnderItsNewName) {
  const TempFolder folder;
  folder.Write("a", "1\n");
  auto source = Started(Spec(folder.path()));
  SourceDriver driver(source.get());
  ASSERT_TRUE(driver.Plan().ok());
  std::rename((folder / "a").c_str(), (folder / ".done").c_str());
  CollectingConsumer consumer;
  const Status status = source->Read(driver.last.front(), &consumer);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_THAT(consumer.records, ElementsAre("1"));
}

TEST(FileSourceTest, SaysWhatChangedBetweenPlanAndRead) {
  struct Case {
    const char* name;
    void (*change)(const TempFolder&);
    const char* want;
  };
  const Case cases[] = {
      {"grown", [](const TempFolder& f) { f.Write("a", "3\n", true); }, "had 4 bytes"},
      {"touched", [](const TempFolder& f) { f.SetModified("a", 5); }, "modified"},
      {"removed", [](const TempFolder& f) { ::unlink((f / "a").c_str()); }, "no longer"},
  };
  for (const Case& c : cases) {
    const TempFolder folder;
    folder.Write("a", "1\n2\n");
    auto source = Started(Spec(folder.path()));
    SourceDriver driver(source.get());
    ASSERT_TRUE(driver.Plan().ok());
    c.change(folder);
    CollectingConsumer consumer;
    const Status status = source->Read(driver.last.front(), &consumer);
    EXPECT_EQ(status.code(), StatusCode::kGone) << c.name;
    EXPECT_THAT(status.message(), HasSubstr("SourceChanged")) << c.name;
    EXPECT_THAT(status.message(), HasSubstr(c.want)) << c.name;
  }
}

TEST(FileSourceTest, StopsWhenAHalfReadFileIsRemoved) {
  const TempFolder folder;
  folder.Write("a", Numbered(1000));
  auto source = Started(Spec(folder.path()));
  SourceDriver driver(source.get());
  driver.NextBatch(10);
  ::unlink((folder / "a").c_str());
  const auto offer = driver.Plan(10);
  EXPECT_EQ(offer.status().code(), StatusCode::kGone);
  EXPECT_THAT(offer.status().message(), HasSubstr("unread"));
}

TEST(FileSourceTest, GivesPathsAndLines) {
  const TempFolder folder;
  const std::string path = folder.Write("a", "1\n2\n");
  auto source = Started(Spec(folder.path()), {Framing::kLines, false, true, true});
  SourceDriver driver(source.get());
  ASSERT_TRUE(driver.Plan().ok());
  CollectingConsumer consumer;
  ASSERT_TRUE(source->Read(driver.last.front(), &consumer).ok());
  EXPECT_THAT(consumer.hidden_text, ElementsAre(path, path));
  EXPECT_THAT(consumer.hidden_ints, ElementsAre(1, 2));
}

TEST(FileSourceTest, KeepsTheCsvHeaderApartInEveryPart) {
  const TempFolder folder;
  std::string text = "\xef\xbb\xbfid,\"na\nme\"\n";
  for (int i = 0; i < 2000; ++i) text += std::to_string(i) + ",\"a\nb\"\n";
  folder.Write("a.csv", text);
  for (const bool wants_line : {true, false}) {
    auto source = Started(Spec(folder.path()), {Framing::kCsv, true, false, wants_line});
    SourceDriver driver(source.get());
    int64_t next = 0;
    for (int batch = 0; batch < 100 && next < 2000; ++batch) {
      ASSERT_TRUE(driver.Plan(100).ok());
      CollectingConsumer consumer;
      for (const auto& range : driver.last) ASSERT_TRUE(source->Read(range, &consumer).ok());
      for (size_t i = 0; i < consumer.records.size(); ++i, ++next) {
        ASSERT_EQ(consumer.headers[i], "id,\"na\nme\"");
        ASSERT_EQ(consumer.records[i], std::to_string(next) + ",\"a\nb\"");
        ASSERT_EQ(consumer.lines[i], 3 + 2 * next);
      }
    }
    EXPECT_EQ(next, 2000);
  }
}

TEST(FileSourceTest, UnpacksByMagicBytes) {
  for (const Codec codec : {Codec::kGzip, Codec::kZstd}) {
    const TempFolder folder;
    const std::string text = Numbered(100'000);
    folder.Write(
        "a", *Compress(codec, text.substr(0, 500'003)) + *Compress(codec, text.substr(500'003)));
    auto source = Started(Spec(folder.path()));
    const auto records = SourceDriver(source.get()).NextBatch();
    ASSERT_EQ(records.size(), 100'000u);
    EXPECT_EQ(records.back(), "line 99999");
  }
}

// Reads one file of these bytes and says what came back.
std::string ReadError(const std::string& bytes) {
  const TempFolder folder;
  folder.Write("a", bytes);
  auto source = Started(Spec(folder.path()));
  SourceDriver driver(source.get());
  if (!driver.Plan().ok()) return "no plan";
  class Dropper final : public RecordConsumer {
   public:
    Status OnRaw(RawRecords) override { return OkStatus(); }
    Status OnBatch(RecordBatch, int64_t) override { return OkStatus(); }
  } dropper;
  const Status status = source->Read(driver.last.back(), &dropper);
  EXPECT_EQ(status.code(), StatusCode::kInvalid) << status;
  const std::string message(status.message());
  EXPECT_TRUE(message.starts_with(folder / "a")) << message;
  return message.substr(std::min(message.size(), (folder / "a").size()));
}

TEST(FileSourceTest, RefusesBombsAndCutArchives) {
  std::string cut = *Compress(Codec::kZstd, Numbered(1000));
  cut.resize(cut.size() - 5);
  std::string lines(100 << 20, 'x');
  for (size_t at = 0; at < lines.size(); at += 10'000) lines[at] = '\n';
  for (const Codec codec : {Codec::kGzip, Codec::kZstd}) {
    EXPECT_THAT(ReadError(*Compress(codec, lines)),
                ::testing::MatchesRegex(": unpack: [0-9]+ bytes hold more than [0-9]+; data that "
                                        "unpacks to over 250 times its size is refused"));
  }
  EXPECT_EQ(ReadError(cut), ": the packed data ends in the middle");
}

TEST(FileSourceTest, RefusesRecordsWithoutEnd) {
  EXPECT_EQ(ReadError("1\n" + std::string(kMaxRecordBytes + (1 << 20), 'x') + "\n"),
            ":2: a record is longer than 16777216 bytes");
}

TEST(FileSourceTest, ReadsRecordsLargerThanABlock) {
  const TempFolder folder;
  const std::string large(3'000'000, 'x');
  folder.Write("a", "1\n" + large + "\n2\n" + large + "y\n3\n");
  auto source = Started(Spec(folder.path()));
  EXPECT_THAT(SourceDriver(source.get()).NextBatch(),
              ElementsAre("1", large, "2", large + "y", "3"));
}

TEST(FileSourceTest, RefusesPathsThatClimbOrNameNoFile) {
  const TempFolder folder;
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  const std::string climbing = folder.path() + "/../x";
  const std::pair<std::string, std::string> cases[] = {
      {climbing, "\"" + climbing.substr(0, 80) + "\" must not contain \"..\""},
      {"..", "\"..\" must not contain \"..\""},
      {"/dev/zero", "/dev/zero is neither a directory nor a regular file"},
      {folder / "fifo", folder / "fifo is neither a directory nor a regular file"},
      {folder / "none/x", "no such directory: " + (folder / "none")},
      {"", "the path is empty"},
      {std::string("a\0b", 3), "the path holds a NUL byte"},
  };
  for (const auto& [path, message] : cases) {
    const Status status = FileSource(Spec(path), {}).Start({});
    EXPECT_EQ(status.code(), StatusCode::kInvalid) << path;
    EXPECT_EQ(status.message(), message);
  }
}

TEST(FileSourceTest, DoesNotLeaveItsFolderThroughLinks) {
  const TempFolder folder, other;
  other.Write("secret", "secret\n");
  folder.Write("a", "1\n");
  ASSERT_EQ(::symlink((other / "secret").c_str(), (folder / "link").c_str()), 0);
  ASSERT_EQ(::symlink((folder / "a").c_str(), (folder / "inside").c_str()), 0);
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  auto source = Started(Spec(folder.path()));
  EXPECT_THAT(SourceDriver(source.get()).NextBatch(), ElementsAre("1"));
  EXPECT_EQ(FileSource(Spec(folder / "link"), {}).Start({}).message(),
            folder / "link is a symlink out of its folder " + folder.path());
}

}  // namespace
}  // namespace millrace::worker
