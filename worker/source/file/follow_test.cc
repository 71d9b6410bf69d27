#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>

#include "worker/source/file/file_testing.h"

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

api::FileSource Following(const std::string& path) {
  api::FileSource spec = Spec(path);
  spec.follow = true;
  return spec;
}

TEST(FollowTest, ReadsWholeLinesAsTheFileGrows) {
  const TempFolder folder;
  const std::string path = folder.Write("app.log", "1\n2");
  auto source = Started(Following(path));
  SourceDriver driver(source.get());
  EXPECT_THAT(driver.NextBatch(), ElementsAre("1"));
  EXPECT_THAT(driver.NextBatch(), IsEmpty());
  folder.Write("app.log", "22\n3\n", true);
  EXPECT_THAT(driver.NextBatch(), ElementsAre("222", "3"));
}

TEST(FollowTest, SurvivesRotationByRename) {
  const TempFolder folder;
  const std::string path = folder.Write("app.log", "1\n");
  auto source = Started(Following(path));
  SourceDriver driver(source.get());
  EXPECT_THAT(driver.NextBatch(), ElementsAre("1"));
  folder.Write("app.log", "2\n", true);
  std::rename(path.c_str(), (folder / "app.log.1").c_str());
  folder.Write("app.log.1", "3\n", true);
  folder.Write("app.log", "4\n");
  EXPECT_THAT(driver.NextBatch(), ElementsAre("2", "3", "4"));
  std::rename((folder / "app.log.1").c_str(), (folder / "app.log.2").c_str());
  EXPECT_THAT(driver.NextBatch(), IsEmpty());
}

TEST(FollowTest, DoesNotReadRotatedFilesTwiceUnderAGlob) {
  const TempFolder folder;
  const std::string path = folder.Write("app.log", "1\n");
  auto source = Started(Following(path + "*"));
  SourceDriver driver(source.get());
  EXPECT_THAT(driver.NextBatch(), ElementsAre("1"));
  std::rename(path.c_str(), (folder / "app.log.1").c_str());
  folder.Write("app.log", "2\n");
  folder.Write("app.log.2.gz", *Compress(Codec::kGzip, "0\n"));
  EXPECT_THAT(driver.NextBatch(), ElementsAre("2"));
  EXPECT_THAT(driver.NextBatch(), IsEmpty());
}

TEST(FollowTest, ReplaysAPlannedRangeOfAGrownAndRotatedFile) {
  const TempFolder folder;
  const std::string path = folder.Write("app.log", "1\n2\n");
  auto source = Started(Following(path));
  SourceDriver driver(source.get());
  ASSERT_TRUE(driver.Plan().ok());
  folder.Write("app.log", "3\n", true);
  std::rename(path.c_str(), (folder / "app.log.1").c_str());
  folder.Write("app.log", "other\n");
  CollectingConsumer consumer;
  ASSERT_TRUE(source->Read(driver.last.front(), &consumer).ok());
  EXPECT_THAT(consumer.records, ElementsAre("1", "2"));
}

TEST(FollowTest, StopsOnTruncatedOrRewrittenFiles) {
  for (const char* text : {"x\n", "another beginning that is longer than before\n"}) {
    const TempFolder folder;
    const std::string path = folder.Write("app.log", "first line\nsecond line\n");
    auto source = Started(Following(path));
    SourceDriver driver(source.get());
    EXPECT_EQ(driver.NextBatch().size(), 2u);
    folder.Write("app.log", text);
    const auto offer = driver.Plan();
    EXPECT_EQ(offer.status().code(), StatusCode::kGone) << text;
    EXPECT_THAT(offer.status().message(), HasSubstr(path));
  }
}

TEST(FollowTest, StartsAtTheEndWhenAsked) {
  const TempFolder folder;
  api::FileSource spec = Following(folder.Write("app.log", "1\n2"));
  spec.start_from = api::FileSource::Start::kLatest;
  auto source = Started(spec);
  SourceDriver driver(source.get());
  EXPECT_THAT(driver.NextBatch(), IsEmpty());
  folder.Write("app.log", "2\n3\n", true);
  EXPECT_THAT(driver.NextBatch(), ElementsAre("22", "3"));
}

}  // namespace
}  // namespace millrace::worker
