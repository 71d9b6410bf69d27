#include <gtest/gtest.h>

#include <random>

#include "worker/step/step_testing.h"

namespace millrace::worker {
namespace {

using testing::Carry;
using testing::Int;
using testing::KeyedRunner;
using testing::MakeBatch;
using testing::MakeContext;
using testing::MakeSchema;
using testing::Row;
using testing::TestEnv;
using testing::Text;

const Schema& Clicks() {
  static const Schema schema =
      MakeSchema({{"id", "string"}, {"n", "int"}, {"__eventTime", "timestamp"}});
  return schema;
}

std::unique_ptr<KeyedStep> Dedup(int64_t within, TestEnv* env) {
  return MakeDedupStep({{"id"}, Duration(within), std::nullopt}, env->env);
}

TEST(DedupStepTest, KeepsTheFirstWithinTheSpan) {
  TestEnv env(Clicks());
  const auto step = Dedup(10, &env);
  ASSERT_NE(step, nullptr) << env.errors();
  KeyedRunner runner(*step);
  const RecordBatch rows = MakeBatch(Clicks(), {{Text("a"), Int(1), Int(100)},
                                                {Text("a"), Int(2), Int(110)},
                                                {Text("a"), Int(3), Int(90)},
                                                {Text("a"), Int(4), Int(111)},
                                                {Text("a"), Int(5), Int(89)}});
  EXPECT_EQ(runner.Run({rows}, MakeContext(0)),
            (std::vector<std::string>{R"({"id":"a","n":1})", R"({"id":"a","n":4})",
                                      R"({"id":"a","n":5})"}));
}

TEST(DedupStepTest, ForgetsAKeyWhenTheWatermarkHasPassedItsSpan) {
  TestEnv env(Clicks());
  const auto step = Dedup(10, &env);
  KeyedRunner runner(*step);
  runner.Run({MakeBatch(Clicks(), {{Text("a"), Int(1), Int(100)}})}, MakeContext(0, 50));
  EXPECT_FALSE(runner.HasWork(MakeContext(1, 110, 50)));
  EXPECT_TRUE(runner.HasWork(MakeContext(1, 111, 50)));
  runner.Run({MakeBatch(Clicks(), {})}, MakeContext(1, 111, 50));
  EXPECT_EQ(runner.keys(), 0);
}

TEST(DedupStepTest, CountsAndDropsWhatIsOlderThanItsState) {
  TestEnv env(Clicks());
  const auto step = Dedup(10, &env);
  KeyedRunner runner(*step);
  const RecordBatch rows =
      MakeBatch(Clicks(), {{Text("a"), Int(1), Int(99)}, {Text("b"), Int(2), Int(100)}});
  EXPECT_EQ(runner.Run({rows}, MakeContext(1, 100, 50)),
            (std::vector<std::string>{R"({"id":"b","n":2})"}));
  EXPECT_EQ(runner.task.report.late_records, 1);
}

TEST(DedupStepTest, UsesBatchTimeWithoutEventTime) {
  const Schema schema = MakeSchema({{"id", "string"}});
  TestEnv env(schema);
  const auto step = MakeDedupStep({{"id"}, std::chrono::seconds(2), std::nullopt}, env.env);
  KeyedRunner runner(*step);
  const std::vector<RecordBatch> rows{MakeBatch(schema, {{Text("a")}, {Text("a")}})};
  std::vector<size_t> kept;
  for (int batch = 0; batch < 5; ++batch)
    kept.push_back(runner.Run(rows, MakeContext(batch)).size());
  EXPECT_EQ(kept, (std::vector<size_t>{1, 0, 0, 1, 0}));
}

// The rule itself, without watermark: every kept record is remembered for ever.
std::vector<std::string> NaiveDedup(const std::vector<Row>& rows, int64_t within,
                                    std::map<std::string, std::vector<int64_t>>* kept) {
  std::vector<std::string> lines;
  for (const Row& row : rows) {
    std::vector<int64_t>& times = (*kept)[std::get<std::string>(row[0])];
    const int64_t time = std::get<int64_t>(row[2]);
    const auto near = [&](int64_t other) { return std::abs(other - time) <= within; };
    if (std::any_of(times.begin(), times.end(), near)) continue;
    times.push_back(time);
    lines.push_back(testing::Lines(MakeBatch(Clicks(), {row})).front());
  }
  return lines;
}

TEST(DedupStepTest, AgreesWithTheRuleHoweverStateTravels) {
  for (const Carry carry : {Carry::kInMemory, Carry::kBySnapshot, Carry::kByDeltas}) {
    const unsigned seed = 7;
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    TestEnv env(Clicks());
    const auto step = Dedup(30, &env);
    KeyedRunner runner(*step, carry);
    std::map<std::string, std::vector<int64_t>> kept;
    int64_t previous = INT64_MIN;
    for (int64_t batch = 0; batch < 40; ++batch) {
      const int64_t watermark = batch * 10;
      std::vector<Row> rows;
      for (int i = 0; i < 20; ++i) {
        rows.push_back({Text("k" + std::to_string(random() % 15)), Int(i),
                        Int(watermark + static_cast<int64_t>(random() % 40))});
      }
      const auto got =
          runner.Run({MakeBatch(Clicks(), rows)}, MakeContext(batch, watermark, previous));
      ASSERT_EQ(testing::Sorted(got), testing::Sorted(NaiveDedup(rows, 30, &kept))) << batch;
      previous = watermark;
    }
    EXPECT_EQ(runner.task.report.late_records, 0);
  }
}

TEST(DedupStepTest, ReportsEveryMistake) {
  TestEnv env(MakeSchema({{"id", "string"}}));
  env.env.input.updating = true;
  EXPECT_EQ(MakeDedupStep({{"idd"}, Duration(0), api::TimeDomain::kEvent}, env.env), nullptr);
  EXPECT_EQ(env.errors(),
            "step: dedup cannot follow an updating stream, whose rows replace earlier ones: it "
            "would count "
            "them twice. Give the aggregate emit: Final, or use aggregate with latestBy\n"
            "step.key[0]: no field \"idd\" in this record; it has: id. Did you mean \"id\"?\n"
            "step.time: Event needs event time, which this stream does not have; give its source "
            "eventTime or use Processing\n"
            "step.within: must be more than 0s\n");
}

TEST(DedupStepTest, RefusesDamagedState) {
  TestEnv env(Clicks());
  const auto step = Dedup(10, &env);
  KeyedRunner runner(*step);
  const auto op = step->MakeOperator();
  EXPECT_FALSE(op->Apply("").ok());
  EXPECT_FALSE(op->Apply("\x02").ok());
  EXPECT_FALSE(op->Apply(std::string("\x01\x01\x00\x05", 4)).ok());
}

}  // namespace
}  // namespace millrace::worker
