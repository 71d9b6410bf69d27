#include <time.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <random>
#include <string>

#include "worker/step/step.h"

// Nanoseconds a record of the sender side of aggregate: 5,000 keys, 4,096 records a batch, count()
// and sum().
namespace millrace::worker {
namespace {

constexpr size_t kKeys = 5'000;
constexpr size_t kBatchRows = 4'096;
constexpr int kBatches = 24;
constexpr int kRounds = 20;

RecordBatch MakeRows(const SchemaRef& schema, bool text_key, std::mt19937* random, int64_t base) {
  auto key = std::make_shared<Column>((*schema)[0].type);
  auto amount = std::make_shared<Column>(Type(Kind::kInt));
  auto time = std::make_shared<Column>(Type(Kind::kTimestamp));
  auto arena = std::make_shared<Arena>();
  if (text_key) key->AddOwner(arena);
  for (size_t i = 0; i < kBatchRows; ++i) {
    const auto number = static_cast<int64_t>((*random)() % kKeys);
    if (text_key) {
      key->AppendView(arena->Copy("campaign-" + std::to_string(number)));
    } else {
      key->AppendInt(number);
    }
    amount->AppendInt(number % 100);
    time->AppendInt(base + static_cast<int64_t>(i));
  }
  return {schema, {key, amount, time}, kBatchRows};
}

// Of this thread only: other work on the machine does not count.
double CpuNanoseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

void Measure(const char* name, bool text_key, api::Window window, api::ExpressionMap values) {
  const auto schema = std::make_shared<Schema>(
      std::vector<Field>{{"key", Type(text_key ? Kind::kString : Kind::kInt)},
                         {"amount", Type(Kind::kInt)},
                         {std::string(kEventTimeField), Type(Kind::kTimestamp)}});
  api::Diagnostics diagnostics;
  StepEnv env;
  env.input.schema = *schema;
  env.input.has_event_time = true;
  env.input.watermark.sources = {0};
  env.diagnostics = &diagnostics;
  api::AggregateStep spec;
  spec.key = {"key"};
  spec.window = window;
  spec.values = std::move(values);
  const auto step = MakeAggregateStep(spec, env);
  std::mt19937 random(1);
  std::vector<RecordBatch> batches;
  for (int i = 0; i < kBatches; ++i)
    batches.push_back(MakeRows(schema, text_key, &random, i * 1'000'000));
  BatchContext context;
  context.watermarks = context.previous_watermarks = {TimePoint::min()};
  TaskReport report;
  DeadLetters dead_letters;
  TaskRun run{.context = &context, .report = &report};
  run.dead_letters = &dead_letters;
  double best = 1e9;
  size_t sent = 0;
  for (int round = 0; round < kRounds; ++round) {
    const double begin = CpuNanoseconds();
    const auto writer = step->MakeWriter(0);
    for (const RecordBatch& batch : batches) {
      if (!writer->Add(batch, &run).ok()) return;
    }
    if (!writer->Finish(&run, [&](int, const RecordBatch& rows) { sent += rows.num_rows(); }).ok())
      return;
    best = std::min(best, (CpuNanoseconds() - begin) / (kBatches * kBatchRows));
  }
  std::printf("%-34s %6.1f ns/record, %zu partial rows\n", name, best, sent / kRounds);
}

}  // namespace
}  // namespace millrace::worker

int main() {
  using namespace millrace;
  using std::chrono::seconds;
  const api::ExpressionMap count{{"n", "count()"}}, both{{"n", "count()"}, {"s", "sum(amount)"}};
  worker::Measure("int key, batch, count", false, api::BatchWindow{}, count);
  worker::Measure("int key, batch, count+sum", false, api::BatchWindow{}, both);
  worker::Measure("string key, batch, count", true, api::BatchWindow{}, count);
  worker::Measure("string key, tumbling 10s, count+sum", true, api::TumblingWindow{seconds(10)},
                  both);
  worker::Measure("string key, sliding 30s/10s, sum", true,
                  api::SlidingWindow{seconds(30), seconds(10)}, both);
  return 0;
}
