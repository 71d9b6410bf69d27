#include "worker/runtime/last_words.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "crds/base/file.h"

namespace millrace::worker {
namespace {

class LastWordsTest : public ::testing::Test {
 protected:
  void SetUp() override { std::ofstream(path_) << "before"; }
  void TearDown() override { std::filesystem::remove(path_); }
  std::string Words() const { return ReadFile(path_, 1 << 20).value(); }

  const std::string path_ = ::testing::TempDir() + "last-words-" + std::to_string(getpid());
};

TEST_F(LastWordsTest, SayHowTheWorkerEnded) {
  LeaveLastWords(OkStatus(), false, path_);
  EXPECT_EQ(Words(), "completed\n");
  LeaveLastWords(UnavailableError("no route to redis"), false, path_);
  EXPECT_EQ(Words(), "failed: no route to redis\n");
}

TEST_F(LastWordsTest, AreNotThoseOfAWorkerThatWasAskedToStop) {
  LeaveLastWords(OkStatus(), true, path_);
  EXPECT_EQ(Words(), "before");
}

TEST_F(LastWordsTest, AreShort) {
  LeaveLastWords(InternalError(std::string(100'000, 'x')), false, path_);
  EXPECT_LT(Words().size(), 2100u);
}

TEST(NoLastWordsTest, MakeNoFile) {
  const std::string path = ::testing::TempDir() + "no-such-file-" + std::to_string(getpid());
  LeaveLastWords(OkStatus(), false, path);
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace millrace::worker
