#include "worker/sink/console/screen.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "worker/sink/console/captured_output.h"

namespace millrace::worker {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<std::string> kLine{"one"};

TEST(ScreenTest, WithoutTerminalWritesLinesAndNoEscapes) {
  CapturedOutput output;
  Screen screen(output.options());
  ASSERT_TRUE(screen.Print(kLine).ok());
  screen.SetStatusLine("batch 1");
  EXPECT_EQ(output.Take(), "one\n");
}

TEST(ScreenTest, LiveLinesStayBelowPrintedOnes) {
  CapturedOutput output;
  Screen::Options options = output.options();
  options.live = true;
  Screen screen(options);
  ASSERT_TRUE(screen.SetTable("t", {"head", "row"}).ok());
  EXPECT_EQ(output.Take(), "\033[?7lhead\nrow\033[?7h");
  screen.SetStatusLine("status");
  EXPECT_EQ(output.Take(), "\r\033[1A\033[J\033[?7lhead\nrow\nstatus\033[?7h");
  ASSERT_TRUE(screen.Print(kLine).ok());
  EXPECT_EQ(output.Take(), "\r\033[2A\033[Jone\n\033[?7lhead\nrow\nstatus\033[?7h");
  ASSERT_TRUE(screen.SetTable("t", {"head"}).ok());
  EXPECT_EQ(output.Take(), "\r\033[2A\033[J\033[?7lhead\nstatus\033[?7h");
}

TEST(ScreenTest, TablesNeverFillTheTerminal) {
  CapturedOutput output;
  Screen::Options options = output.options();
  options.live = true;
  options.height = 5;
  Screen screen(options);
  screen.SetStatusLine("status");
  ASSERT_TRUE(screen.SetTable("a", {"a1", "a2"}).ok());
  ASSERT_TRUE(screen.SetTable("b", {"b1", "b2", "b3"}).ok());
  EXPECT_THAT(output.Take(), HasSubstr("\033[?7la1\na2\nb1\nstatus\033[?7h"));
}

TEST(ScreenTest, LeavesTheLastTablesBehind) {
  CapturedOutput output;
  Screen::Options options = output.options();
  options.live = true;
  {
    Screen screen(options);
    ASSERT_TRUE(screen.SetTable("t", {"row"}).ok());
    screen.SetStatusLine("status");
    output.Take();
  }
  EXPECT_EQ(output.Take(), "\r\033[1A\033[J\033[?7lrow\033[?7h\n");
}

TEST(ScreenTest, StatusLineIsEscapedAndCut) {
  CapturedOutput output;
  Screen::Options options = output.options();
  options.status_fd = options.out_fd;
  options.status_live = true;
  options.width = 10;
  Screen screen(options);
  screen.SetStatusLine("a\033[2Jb and much more");
  EXPECT_EQ(output.Take(), "\r\033[Ka\\x1b[2Jb…");
}

TEST(ScreenTest, ClosedReaderIsAnErrorNotACrash) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  close(ends[0]);
  Screen::Options options;
  options.out_fd = ends[1];
  Screen screen(options);
  EXPECT_EQ(screen.Print(kLine).code(), StatusCode::kGone);
  close(ends[1]);
}

TEST(ScreenTest, FullDeviceIsAnError) {
  const int fd = open("/dev/full", O_WRONLY);
  Screen::Options options;
  options.out_fd = fd;
  Screen screen(options);
  const Status status = screen.Print(kLine);
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("standard output"));
  close(fd);
}

TEST(ScreenTest, PipesAndDumbTerminalsAreNotLive) {
  CapturedOutput output;
  EXPECT_FALSE(Screen::Detect(output.options().out_fd, output.options().out_fd).live);
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  ASSERT_GE(terminal, 0);
  struct Case {
    const char *term, *no_color;
    bool live, colour;
  };
  for (const Case& c : {Case{"xterm", "", true, true},
                        {"xterm", "1", true, false},
                        {"dumb", "", false, false},
                        {"", "", false, false}}) {
    setenv("TERM", c.term, 1);
    setenv("NO_COLOR", c.no_color, 1);
    const Screen::Options options = Screen::Detect(terminal, terminal);
    EXPECT_EQ(options.live, c.live) << c.term;
    EXPECT_EQ(options.colour, c.colour) << c.term << c.no_color;
  }
  close(terminal);
}

}  // namespace
}  // namespace millrace::worker
