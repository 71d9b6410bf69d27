// Records per second of the keyed steps `join` and `state`, one key group on one core. Prints one
// line per case.
#include <chrono>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "worker/step/step.h"

namespace millrace::worker {
namespace {

constexpr int64_t kRowsPerBatch = 10'000;
constexpr int64_t kBatches = 100;
constexpr int64_t kKeys = 50'000;

Schema BenchSchema(const char* value) {
  return Schema({{"id", Type(Kind::kInt)},
                 {value, Type(Kind::kInt)},
                 {"name", Type(Kind::kString)},
                 {std::string(kEventTimeField), Type(Kind::kTimestamp)}});
}

// Keys in a scattered but fixed order; times advance by a millisecond a row.
RecordBatch MakeRows(const SchemaRef& schema, int64_t first) {
  std::vector<std::shared_ptr<Column>> columns;
  for (const Field& field : schema->fields()) {
    columns.push_back(std::make_shared<Column>(field.type));
  }
  for (int64_t row = first; row < first + kRowsPerBatch; ++row) {
    columns[0]->AppendInt(static_cast<int64_t>((static_cast<uint64_t>(row) * 2654435761u) % kKeys));
    columns[1]->AppendInt(row);
    columns[2]->AppendView("a name of some length");
    columns[3]->AppendInt(row * 1000);
  }
  return RecordBatch(schema, {columns.begin(), columns.end()}, kRowsPerBatch);
}

struct Bench {
  api::Diagnostics diagnostics;
  StepEnv env;
  SchemaRef left = std::make_shared<Schema>(BenchSchema("a"));
  SchemaRef right = std::make_shared<Schema>(BenchSchema("b"));
  Bench() {
    env.origin = "bench";
    env.path = "bench";
    env.input = {*left, {{0}, Duration(0), false}, true, false, {}};
    env.other = {*right, {{1}, Duration(0), false}, true, false, {}};
    env.groups = 1;
    env.diagnostics = &diagnostics;
  }
};

void Run(const char* name, Bench& bench, const std::unique_ptr<KeyedStep>& step) {
  if (step == nullptr) {
    std::printf("%s: %s\n", name, bench.diagnostics.front().message.c_str());
    return;
  }
  const std::unique_ptr<KeyedOperator> op = step->MakeOperator();
  std::vector<std::vector<std::vector<RecordBatch>>> inputs;
  for (int64_t batch = 0; batch < kBatches; ++batch) {
    inputs.push_back({{MakeRows(bench.left, batch * kRowsPerBatch)}});
    if (step->num_inputs() == 2) {
      inputs.back().push_back({MakeRows(bench.right, batch * kRowsPerBatch + 17)});
    }
  }
  BatchContext context;
  TableSet tables;
  TableLists lists;
  DeadLetters dead_letters;
  TaskReport report;
  TaskRun run{&context, 0, &tables, &lists, &dead_letters, &report};
  int64_t rows_out = 0;
  const std::clock_t start = std::clock();
  for (int64_t batch = 0; batch < kBatches; ++batch) {
    const TimePoint watermark(Duration((batch - 1) * kRowsPerBatch * 1000));
    context.previous_watermarks = context.watermarks;
    context.watermarks = {watermark, watermark};
    context.batch_time = TimePoint(std::chrono::seconds(batch + 1));
    std::vector<RecordBatch> out;
    if (const Status status = op->Run(inputs[batch], &run, &out); !status.ok()) {
      std::printf("%s: %s\n", name, status.ToString().c_str());
      return;
    }
    for (const RecordBatch& rows : out) rows_out += static_cast<int64_t>(rows.num_rows());
    op->Settle();
  }
  const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
  const double rows_in = static_cast<double>(kRowsPerBatch * kBatches * step->num_inputs());
  std::printf("%-28s %6.2f M rows/s in, %lld rows out, %lld keys, %.1f MB state\n", name,
              rows_in / seconds / 1e6, static_cast<long long>(rows_out),
              static_cast<long long>(op->keys()), static_cast<double>(op->bytes()) / 1e6);
}

void RunJoin(const char* name, api::Window window, api::JoinStep::Type type) {
  Bench bench;
  const api::JoinStep spec{"other", {"id"}, {"id"}, std::move(window), type, "other", std::nullopt};
  Run(name, bench, MakeJoinStep(spec, bench.env));
}

void RunState() {
  Bench bench;
  api::StateStep spec;
  spec.key = {"id"};
  spec.fields = {{"count", {"int", "0"}}, {"sum", {"int", "0"}}};
  spec.update = {{"count", "state.count + 1"}, {"sum", "state.sum + a"}};
  spec.output = {"state.count % 10 == 0", {{"id", "id"}, {"sum", "state.sum"}}};
  spec.timeout = api::StateTimeout{std::chrono::hours(1), std::nullopt};
  Run("state, idle timeout", bench, MakeStateStep(spec, bench.env));
}

}  // namespace
}  // namespace millrace::worker

int main() {
  using millrace::Duration;
  namespace api = millrace::api;
  using Type = api::JoinStep::Type;
  millrace::worker::RunJoin("join, global inner", api::GlobalWindow{}, Type::kInner);
  millrace::worker::RunJoin("join, tumbling 10s inner",
                            api::TumblingWindow{std::chrono::seconds(10), Duration(0)},
                            Type::kInner);
  millrace::worker::RunJoin("join, interval 10s left",
                            api::IntervalWindow{Duration(0), std::chrono::seconds(10)},
                            Type::kLeft);
  millrace::worker::RunState();
  return 0;
}
