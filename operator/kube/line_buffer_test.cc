#include "operator/kube/line_buffer.h"

#include <gmock/gmock.h>

#include <random>
#include <vector>

namespace millrace::controller {
namespace {

using ::testing::ElementsAre;

std::vector<std::string> Feed(const std::vector<std::string>& pieces) {
  LineBuffer buffer;
  std::vector<std::string> lines;
  for (const std::string& piece : pieces) {
    const Status status = buffer.Add(piece, [&](std::string_view line) {
      lines.emplace_back(line);
      return OkStatus();
    });
    EXPECT_TRUE(status.ok());
  }
  return lines;
}

TEST(LineBufferTest, CutsWhereverThePiecesEnd) {
  EXPECT_THAT(Feed({"{\"a\":", "1}\n{\"b\"", ":2}", "\n", "\n{"}),
              ElementsAre("{\"a\":1}", "{\"b\":2}"));
}

TEST(LineBufferTest, EveryCutOfAStreamGivesTheSameLines) {
  const std::string big(100'000, 'x');
  const std::string stream = "grün\n\U0001F600\n" + big + "\nlast\n";
  const std::vector<std::string> whole = Feed({stream});
  ASSERT_EQ(whole.size(), 4u);
  std::mt19937 random(7);
  for (int round = 0; round < 100; ++round) {
    std::vector<std::string> pieces;
    for (size_t at = 0; at < stream.size();) {
      const size_t size = 1 + random() % (round % 2 == 0 ? 40'000 : 5'000);
      pieces.push_back(stream.substr(at, size));
      at += size;
    }
    EXPECT_EQ(Feed(pieces), whole) << "round " << round;
  }
  std::vector<std::string> bytes;
  for (const char c : stream.substr(0, 20)) bytes.emplace_back(1, c);
  EXPECT_THAT(Feed(bytes), ElementsAre("grün", "\U0001F600"));
}

TEST(LineBufferTest, RefusesALineOverTheLimit) {
  LineBuffer buffer(8);
  const auto take = [](std::string_view) { return OkStatus(); };
  EXPECT_TRUE(buffer.Add("12345678\n1234", take).ok());
  EXPECT_EQ(buffer.Add("56789", take).code(), StatusCode::kInternal);
}

TEST(LineBufferTest, AnErrorOfTheReaderEndsTheStream) {
  LineBuffer buffer;
  int lines = 0;
  const Status status = buffer.Add(
      "a\nb\nc\n", [&](std::string_view) { return ++lines == 2 ? GoneError("b") : OkStatus(); });
  EXPECT_EQ(status.code(), StatusCode::kGone);
  EXPECT_EQ(lines, 2);
}

}  // namespace
}  // namespace millrace::controller
