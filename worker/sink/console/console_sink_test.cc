#include "worker/sink/console/console_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "worker/sink/console/captured_output.h"
#include "worker/sink/console/cell_text.h"
#include "worker/sink/word_rows.h"

namespace millrace::worker {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const SinkBatch kBatch{12, TimePoint(std::chrono::seconds(1'717'200'010)), "1-a", "d"};

class ConsoleSinkTest : public ::testing::Test {
 protected:
  std::unique_ptr<ConsoleSink> Make(bool live, bool updating = false, int64_t rows = 10,
                                    int width = 80, bool json = false) {
    Screen::Options options = output_.options();
    options.live = live;
    options.width = width;
    const Projection projection(*WordSchema(), std::nullopt);
    std::unique_ptr<Encoder> encoder;
    if (json) encoder = *MakeEncoder(api::JsonFormat{}, projection.schema());
    return std::make_unique<ConsoleSink>(ConsoleSinkOptions{"out", rows, updating, {"word"}},
                                         projection, std::move(encoder),
                                         std::make_shared<Screen>(options));
  }
  std::string Deliver(ConsoleSink& sink, std::vector<WordRow> rows) {
    const Status status = sink.Deliver(kBatch, {WordPart("s", 0, rows)}, &rejected_);
    EXPECT_TRUE(status.ok()) << status;
    return output_.Take();
  }

  CapturedOutput output_;
  std::vector<RejectedRow> rejected_;
};

TEST_F(ConsoleSinkTest, PipesGetAHeadingAndAlignedRows) {
  const auto sink = Make(false);
  EXPECT_EQ(Deliver(*sink, {{"the", 123}, {"a", 7}}),
            "-- out  batch 12  2024-06-01T00:00:10Z  2 rows\n"
            "word  count\n"
            "the     123\n"
            "a         7\n");
}

TEST_F(ConsoleSinkTest, ShowsTheFirstRowsOfAllParts) {
  const auto sink = Make(false, false, 2);
  const std::vector<SinkPart> parts{WordPart("s", 0, {{"a", 1}}),
                                    WordPart("s", 1, {{"b", 2}, {"c", 3}, {"gone", 0, true}})};
  ASSERT_TRUE(sink->Deliver(kBatch, parts, &rejected_).ok());
  EXPECT_EQ(output_.Take(),
            "-- out  batch 12  2024-06-01T00:00:10Z  2 of 3 rows\n"
            "word  count\n"
            "a         1\n"
            "b         2\n");
}

TEST_F(ConsoleSinkTest, SaysNothingAboutEmptyBatches) {
  for (const bool live : {false, true}) {
    const auto sink = Make(live);
    EXPECT_EQ(Deliver(*sink, {}), "");
    EXPECT_EQ(Deliver(*sink, {{"gone", 1, true}}), "");
  }
}

TEST_F(ConsoleSinkTest, WithAFormatWritesOnlyRecords) {
  const auto sink = Make(false, false, 2, 80, true);
  EXPECT_EQ(Deliver(*sink, {{"a", 1}, {"b\n", 2}, {"c", 3}}),
            "{\"word\":\"a\",\"count\":1}\n{\"word\":\"b\\n\",\"count\":2}\n");
}

TEST_F(ConsoleSinkTest, EscapesWhatWouldMoveTheCursor) {
  const auto sink = Make(false);
  const std::string text = Deliver(*sink, {{"\033[2J\n", 1}});
  EXPECT_THAT(text, HasSubstr("\\x1b[2J\\n"));
  EXPECT_THAT(text, Not(HasSubstr("\033")));
}

TEST_F(ConsoleSinkTest, UpdatingStreamIsATableOfCurrentValues) {
  const auto sink = Make(true, true);
  Deliver(*sink, {{"a", 1}, {"b", 1}, {"a", 2}});
  EXPECT_THAT(Deliver(*sink, {{"c", 5}}), HasSubstr("out  batch 12  2024-06-01T00:00:10Z  1 row\n"
                                                    "word  count\n"
                                                    "c         5\n"
                                                    "b         1\n"
                                                    "a         2\033[?7h"));
  EXPECT_THAT(Deliver(*sink, {{"b", 0, true}}),
              HasSubstr("word  count\nc         5\na         2\033[?7h"));
}

TEST_F(ConsoleSinkTest, LiveTableShowsTheLatestRows) {
  const auto sink = Make(true, true, 2);
  Deliver(*sink, {{"a", 1}, {"b", 2}, {"c", 3}});
  EXPECT_THAT(Deliver(*sink, {{"c", 4}}),
              HasSubstr("word  count\nc         4\na         1\033[?7h"));
  EXPECT_THAT(Deliver(*sink, {{"a", 0, true}}),
              HasSubstr("word  count\nc         4\nb         2\033[?7h"));
}

TEST_F(ConsoleSinkTest, FitsNarrowTerminals) {
  const auto sink = Make(true, true, 10, 20);
  EXPECT_THAT(Deliver(*sink, {{"a word that is far too long", 1'000'000}}),
              HasSubstr("out  batch 12  2024…\n"
                        "word           count\n"
                        "a word tha…  1000000\033[?7h"));
}

TEST_F(ConsoleSinkTest, UpdatingStreamInAPipeIsEveryVersion) {
  const auto sink = Make(false, true);
  EXPECT_THAT(Deliver(*sink, {{"a", 1}, {"a", 2}, {"a", 3, true}}),
              HasSubstr("2 rows\nword  count\na         1\na         2\n"));
}

TEST(CellTextTest, FormatsEachType) {
  const auto text = [](Type type, auto append) {
    Column column(std::move(type));
    append(column);
    return CellText(column, 0);
  };
  EXPECT_EQ(text(Type(Kind::kBool), [](Column& c) { c.AppendBool(true); }), "true");
  EXPECT_EQ(text(Type(Kind::kInt), [](Column& c) { c.AppendInt(-5); }), "-5");
  EXPECT_EQ(text(Type(Kind::kDouble), [](Column& c) { c.AppendDouble(0.1); }), "0.1");
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(text(Type(Kind::kDouble), [](Column& c) { c.AppendDouble(-kNan); }), "NaN");
  EXPECT_EQ(text(Type(Kind::kDouble), [](Column& c) { c.AppendDouble(kInfinity); }), "Infinity");
  EXPECT_EQ(text(Type(Kind::kDouble), [](Column& c) { c.AppendDouble(-kInfinity); }), "-Infinity");
  EXPECT_EQ(text(Type(Kind::kString), [](Column& c) { c.AppendView("a\tb"); }), "a\\tb");
  EXPECT_EQ(text(Type(Kind::kBytes), [](Column& c) { c.AppendView("ab"); }), "YWI=");
  EXPECT_EQ(text(Type(Kind::kTimestamp), [](Column& c) { c.AppendInt(0); }),
            "1970-01-01T00:00:00Z");
  EXPECT_EQ(text(Type(Kind::kDuration), [](Column& c) { c.AppendInt(90'000'000); }), "1m30s");
  EXPECT_EQ(text(Type(Kind::kString, true), [](Column& c) { c.AppendNull(); }), "null");
  EXPECT_EQ(text(Type::List(Type(Kind::kInt)),
                 [](Column& c) {
                   c.children[0]->AppendInt(1);
                   c.children[0]->AppendInt(2);
                   c.FinishList();
                 }),
            "[1,2]");
}

}  // namespace
}  // namespace millrace::worker
