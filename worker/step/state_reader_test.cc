#include "worker/step/state_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "worker/step/step_testing.h"

namespace millrace::worker {
namespace {

using std::chrono::seconds;
using testing::Int;
using testing::Lines;
using testing::MakeBatch;
using testing::MakeContext;
using testing::MakeSchema;
using testing::Row;
using testing::TestEnv;
using testing::TestTask;
using testing::Text;

const Schema& Visits() {
  static const Schema schema =
      MakeSchema({{"user", "string"}, {"n", "int"}, {"__eventTime", "timestamp"}});
  return schema;
}

// One unit of a step: batches in, rows out, and the deltas of all of them.
class UnitRun {
 public:
  explicit UnitRun(const KeyedStep& step) : step_(step), op_(step.MakeOperator()) {}

  std::vector<std::string> Run(const RecordBatch& rows, const BatchContext& context) {
    TestTask task;
    task.context = context;
    TaskRun run = task.run();
    std::vector<std::vector<RecordBatch>> arrived(1);
    const auto writer = step_.MakeWriter(0);
    EXPECT_TRUE(writer->Add(rows, &run).ok());
    EXPECT_TRUE(
        writer->Finish(&run, [&](int, RecordBatch sent) { arrived[0].push_back(std::move(sent)); })
            .ok());
    std::vector<RecordBatch> out;
    EXPECT_EQ(op_->Run(arrived, &run, &out).ToString(), "ok");
    std::string delta;
    op_->EncodeDelta(&delta);
    if (!delta.empty()) deltas_.push_back(std::move(delta));
    op_->Settle();
    return Lines(out);
  }
  std::string Snapshot() const {
    std::string snapshot;
    op_->EncodeSnapshot(&snapshot);
    return snapshot;
  }
  const std::vector<std::string>& deltas() const { return deltas_; }

 private:
  const KeyedStep& step_;
  std::unique_ptr<KeyedOperator> op_;
  std::vector<std::string> deltas_;
};

// What a reader makes of blobs at the time of `context`, at which nothing happens.
std::vector<std::string> Read(const KeyedStep& step, const std::vector<std::string>& blobs,
                              BatchContext context) {
  const auto reader = dynamic_cast<const ReadableStep&>(step).MakeReader();
  for (const std::string& blob : blobs) EXPECT_EQ(reader->Apply(blob).ToString(), "ok");
  reader->Settle();
  context.previous_batch_time = context.batch_time;
  context.previous_watermarks = context.watermarks;
  TestTask task;
  task.context = context;
  TaskRun run = task.run();
  std::vector<RecordBatch> out;
  EXPECT_EQ(reader->Run(std::vector<std::vector<RecordBatch>>(1), &run, &out).ToString(), "ok");
  return Lines(out);
}

struct WindowCase {
  const char* name;
  api::Window window;
  std::optional<api::Emit> emit;
  bool latest = false;
};

api::AggregateStep Sums(const WindowCase& param) {
  api::AggregateStep spec;
  spec.key = {"user"};
  spec.window = param.window;
  spec.emit = param.emit;
  spec.values = {{"sum", "sum(n)"}, {"users", "count()"}};
  if (param.latest) spec.latest_by = {"n"};
  return spec;
}

RecordBatch RandomVisits(std::mt19937* random, int64_t batch) {
  std::vector<Row> rows;
  for (int i = 0; i < 20; ++i) {
    const int64_t second = batch * 3 + static_cast<int64_t>((*random)() % 9);
    rows.push_back({Text("user" + std::to_string((*random)() % 5)),
                    Int(static_cast<int64_t>((*random)() % 7)), Int(second * 1'000'000)});
  }
  return MakeBatch(Visits(), rows);
}

class AggregateReaderTest : public ::testing::TestWithParam<WindowCase> {};

// A step that emits All is the oracle: after each batch it says every open window.
TEST_P(AggregateReaderTest, ReadsWhatTheSameStepWithEmitAllWouldSay) {
  TestEnv env(Visits());
  env.env.groups = 1;
  const auto step = MakeAggregateStep(Sums(GetParam()), env.env);
  WindowCase all_case = GetParam();
  all_case.emit = api::Emit::kAll;
  const auto all_step = MakeAggregateStep(Sums(all_case), env.env);
  ASSERT_TRUE(step != nullptr && all_step != nullptr) << env.errors();
  UnitRun run(*step);
  UnitRun oracle(*all_step);
  std::mt19937 random(7);
  const RecordBatch nothing = MakeBatch(Visits(), {});
  for (int64_t batch = 0; batch < 12; ++batch) {
    const int64_t watermark = batch * 3'000'000;
    const BatchContext context = MakeContext(batch, watermark, watermark - 3'000'000);
    const RecordBatch rows = RandomVisits(&random, batch);
    run.Run(rows, context);
    oracle.Run(rows, context);
    const BatchContext still = MakeContext(batch, watermark, watermark);
    const std::vector<std::string> want = oracle.Run(nothing, still);
    EXPECT_FALSE(want.empty());
    EXPECT_EQ(Read(*step, run.deltas(), still), want) << "deltas, batch " << batch;
    EXPECT_EQ(Read(*step, {run.Snapshot()}, still), want) << "snapshot, batch " << batch;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Windows, AggregateReaderTest,
    ::testing::Values(WindowCase{"Tumbling", api::TumblingWindow{seconds(10)}, std::nullopt},
                      WindowCase{"Sliding", api::SlidingWindow{seconds(10), seconds(2)},
                                 std::nullopt},
                      WindowCase{"Session", api::SessionWindow{seconds(4)}, std::nullopt},
                      WindowCase{"Count", api::CountWindow{5}, std::nullopt},
                      WindowCase{"Global", api::GlobalWindow{}, api::Emit::kChanges},
                      WindowCase{"Latest", api::GlobalWindow{}, api::Emit::kChanges, true}),
    [](const auto& tested) { return std::string(tested.param.name); });

TEST(StateReaderTest, ReadsKeyAndFieldsOfEveryKey) {
  TestEnv env(Visits());
  env.env.groups = 1;
  api::StateStep spec;
  spec.key = {"user", "n"};
  spec.fields = {{"count", {"int", "0"}}, {"n", {"string", "''"}}};
  spec.update = {{"count", "state.count + 1"}, {"n", "user + '!'"}};
  const auto step = MakeStateStep(spec, env.env);
  ASSERT_NE(step, nullptr) << env.errors();
  UnitRun run(*step);
  run.Run(MakeBatch(Visits(), {{Text("bob"), Int(1), Int(0)}, {Text("ann"), Int(2), Int(0)}}),
          MakeContext(0));
  run.Run(MakeBatch(Visits(), {{Text("bob"), Int(1), Int(0)}}), MakeContext(1));
  EXPECT_EQ(Read(*step, run.deltas(), MakeContext(1)),
            (std::vector<std::string>{R"({"user":"ann","n":2,"count":1,"state.n":"ann!"})",
                                      R"({"user":"bob","n":1,"count":2,"state.n":"bob!"})"}));
}

TEST(StateReaderTest, ABatchAggregateHasNothingToRead) {
  TestEnv env(Visits());
  WindowCase batch{"Batch", api::BatchWindow{}, std::nullopt};
  const auto step = MakeAggregateStep(Sums(batch), env.env);
  ASSERT_NE(step, nullptr) << env.errors();
  EXPECT_EQ(dynamic_cast<const ReadableStep&>(*step).MakeReader(), nullptr);
}

}  // namespace
}  // namespace millrace::worker
