#include "crds/base/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "crds/base/failpoint.h"
#include "crds/base/log.h"

namespace millrace {
namespace {

// A folder of its own for each test, removed at the end.
class FileTest : public testing::Test {
 protected:
  FileTest() {
    std::string pattern = testing::TempDir() + "file_test_XXXXXX";
    folder_ = mkdtemp(pattern.data());
  }
  ~FileTest() override { EXPECT_TRUE(RemoveTree(folder_).ok()); }
  std::string Path(const std::string& name) const { return folder_ + "/" + name; }

  std::string folder_;
};

TEST_F(FileTest, ReplacesAFileAsAWhole) {
  ASSERT_TRUE(ReplaceFile(Path("a"), "one").ok());
  ASSERT_TRUE(ReplaceFile(Path("a"), "two").ok());
  EXPECT_EQ(ReadFile(Path("a"), 3).value(), "two");
  EXPECT_EQ(ListDirectory(folder_).value(), (std::vector<std::string>{"a"}));
}

TEST_F(FileTest, ReadNamesThePathAndTheLimit) {
  ASSERT_TRUE(ReplaceFile(Path("a"), "four").ok());
  EXPECT_EQ(ReadFile(Path("a"), 3).status().message(),
            "read " + Path("a") + ": larger than the limit of 3 bytes");
  EXPECT_EQ(ReadFile(Path("b"), 3).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(ReadFile(folder_, 3).status().message(), "read " + folder_ + ": Is a directory");
}

TEST_F(FileTest, RenameNeverReplaces) {
  ASSERT_TRUE(ReplaceFile(Path("a"), "1").ok());
  ASSERT_TRUE(ReplaceFile(Path("b"), "2").ok());
  EXPECT_EQ(RenameNoReplace(Path("a"), Path("b")).code(), StatusCode::kAlreadyExists);
  EXPECT_TRUE(RenameNoReplace(Path("a"), Path("c")).ok());
  EXPECT_EQ(ListDirectory(folder_).value(), (std::vector<std::string>{"b", "c"}));
}

TEST_F(FileTest, MakesAndRemovesTrees) {
  ASSERT_TRUE(MakeDirectories(Path("x/y/z")).ok());
  ASSERT_TRUE(MakeDirectories(Path("x/y/z")).ok());
  ASSERT_TRUE(RemoveTree(Path("x")).ok());
  EXPECT_TRUE(ListDirectory(folder_).value().empty());
  EXPECT_TRUE(RemoveTree(Path("x")).ok());
}

TEST_F(FileTest, DescriptorsCloseThemselves) {
  UniqueFd first(open(folder_.c_str(), O_RDONLY));
  const int number = first.get();
  UniqueFd second = std::move(first);
  EXPECT_FALSE(first.valid());  // NOLINT: the moved-from state is the point
  second = UniqueFd();
  EXPECT_EQ(fcntl(number, F_GETFD), -1);
}

TEST(FailpointTest, KillsAtTheCountedTime) {
  EXPECT_EXIT(
      {
        setenv("MILLRACE_FAILPOINT", "after-plan:2", 1);
        Failpoint("other");
        Failpoint("after-plan");
        Failpoint("after-plan");
        std::exit(0);
      },
      testing::KilledBySignal(SIGKILL), "");
}

TEST(FailpointTest, DoesNothingWhenUnset) { Failpoint("after-plan"); }

TEST(LogTest, KeepsAnEntryOnOneLine) {
  testing::internal::CaptureStderr();
  ConfigureLog(LogLevel::kInfo, LogFormat::kText);
  Log(LogLevel::kWarn, "two\nlines", {{"source", "a b\n"}, {"n", "3"}});
  Log(LogLevel::kDebug, "quiet");
  ConfigureLog(LogLevel::kInfo, LogFormat::kJson);
  Log(LogLevel::kInfo, "x", {{"k", "\"v\""}});
  const std::string text = testing::internal::GetCapturedStderr();
  EXPECT_NE(text.find("warn two\\nlines source=\"a b\\n\" n=3\n"), std::string::npos) << text;
  EXPECT_NE(text.find("\"level\":\"info\",\"message\":\"x\",\"k\":\"\\\"v\\\"\"}\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

}  // namespace
}  // namespace millrace
