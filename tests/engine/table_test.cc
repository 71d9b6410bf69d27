#include <fstream>

#include "crds/base/file.h"
#include "tests/engine/engine.h"

// Look-up tables: one version a batch, whatever happens to them meanwhile.
namespace millrace::worker::testing {
namespace {

using ::testing::ElementsAre;

TEST(StreamTableTest, ShowsWhatEarlierBatchesWrote) {
  Engine engine(
      "  sources:\n" + Source("src") +
          "  tables:\n    - {name: latest, key: [k], stream: {from: src}}\n"
          "  streams:\n    - {name: seen, from: src, steps: [{lookup: {table: latest, match: {k: "
          "k}, as: old}}, {map: {k: k, v: v, old: 'old == null ? -1 : old.v'}}]}\n"
          "  sinks:\n    - {name: out, from: seen, console: {}}\n",
      {.ticks = {{"src",
                  {{{Record("a", 1), Record("a", 2)}},
                   {{Record("a", 3), Record("b", 4)}},
                   {{Record("b", 5)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Out("out"),
              ElementsAre(ElementsAre(R"({"k":"a","old":-1,"v":1})", R"({"k":"a","old":-1,"v":2})"),
                          ElementsAre(R"({"k":"a","old":2,"v":3})", R"({"k":"b","old":-1,"v":4})"),
                          ElementsAre(R"({"k":"b","old":4,"v":5})")));
}

TEST(StreamTableTest, ForgetsWhatAFailedBatchWrote) {
  Engine engine("  sources:\n" + Source("src") +
                    "  tables:\n    - {name: latest, key: [k], stream: {from: src}}\n"
                    "  streams:\n    - {name: seen, from: src, steps: [{map: {k: k, rows: "
                    "'tables.latest.size()'}}]}\n"
                    "  sinks:\n    - {name: out, from: seen, console: {}}\n",
                {.ticks = {{"src", {{{Record("a", 1)}}, {{Record("b", 2)}}, {{Record("c", 3)}}}}}});
  int refused = 0;
  engine.sink("out").on_deliver = [&](const SinkBatch& batch) {
    return batch.batch == 2 && ++refused < 4 ? UnavailableError("busy") : OkStatus();
  };
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_EQ(engine.failures.size(), 3u);
  EXPECT_THAT(engine.Sorted("out"), ElementsAre(R"({"k":"a","rows":0})", R"({"k":"b","rows":1})",
                                                R"({"k":"c","rows":2})"));
}

class FileTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_THAT(RemoveTree(folder_), IsOk());
    ASSERT_THAT(MakeDirectories(folder_), IsOk());
    Write("a,1\n");
  }
  void Write(const std::string& rows) const {
    std::ofstream(folder_ + "/rates.csv") << "k,rate\n" << rows;
  }
  std::string Spec(const std::string& more = "") const {
    return "  sources:\n" + Source("src") +
           "  tables:\n    - {name: rates, key: [k], file: {path: " + folder_ +
           "/rates.csv}, format: {csv: {schema: {k: string, rate: int}, header: true}}" + more +
           "}\n" +
           "  streams:\n    - {name: rated, from: src, steps: [{lookup: {table: rates, match: {k: "
           "k}, type: Inner}}, {map: {v: v * rates.rate}}]}\n"
           "  sinks:\n    - {name: out, from: rated, console: {}}\n";
  }
  const std::string folder_ = ::testing::TempDir() + "/engine-table";
};

TEST_F(FileTableTest, MatchesByKey) {
  Engine engine(Spec(), {.ticks = {{"src", {{{Record("a", 7), Record("b", 7)}}}}}});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Out("out"), ElementsAre(ElementsAre(R"({"v":7})")));
}

TEST_F(FileTableTest, ReplaysAPlannedBatchWithTheVersionOfItsPlan) {
  const std::string state = folder_ + "/state";
  {
    Engine engine(Spec(), {.ticks = {{"src", {{{Record("a", 7)}}}}}, .state = state});
    engine.sink("out").on_deliver = [](const SinkBatch&) { return InternalError("power cut"); };
    EXPECT_EQ(engine.Run().message(), "sink \"out\": power cut");
  }
  Write("a,100\n");
  Engine engine(Spec(),
                {.ticks = {{"src", {{{Record("a", 7)}}, {{Record("a", 8)}}}}}, .state = state});
  ASSERT_THAT(engine.Run(), IsOk());
  EXPECT_THAT(engine.Out("out")[0], ElementsAre(R"({"v":7})"));
  EXPECT_THAT(
      engine.Out("out")[1],
      ElementsAre(R"({"v":700})"));  // the tick is offered again: planned anew with the new version
}

TEST_F(FileTableTest, NamesTableAndPlaceOfABadRow) {
  Write("a,x\n");
  Engine engine(Spec(), {.ticks = {{"src", {{{Record("a", 7)}}}}}});
  const Status status = engine.Run();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(status.message(), ::testing::AllOf(::testing::StartsWith("table \"rates\": "),
                                                 ::testing::HasSubstr("rates.csv")));
}

}  // namespace
}  // namespace millrace::worker::testing
