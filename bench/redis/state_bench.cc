// State of many keys in a redis-server of its own: what committing a batch costs beyond moving its
// bytes, and what reading everything back costs. The limit is one pipelined SET of the same bytes,
// in the same run.
//   state_bench [KEYS_CHANGED] [KEYS_RECOVERED]
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/redis/redis_server.h"
#include "worker/coordination/redis/redis_job_store.h"
#include "worker/coordination/redis/redis_state_log.h"
#include "worker/step/step.h"

namespace millrace::worker {
namespace {

constexpr int kGroups = 16;
constexpr int kRounds = 15;
constexpr const char* kStage = "counts.aggregate";

struct Usage {
  double wall = 0;  // milliseconds, as the other
  double processor = 0;
};

Usage Now() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto millis = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
  };
  const std::chrono::duration<double, std::milli> wall =
      std::chrono::steady_clock::now().time_since_epoch();
  return {wall.count(), millis(usage.ru_utime) + millis(usage.ru_stime)};
}

// The best and the median of several rounds of one thing.
class Rounds {
 public:
  explicit Rounds(const char* what) : what_(what) {}
  void Add(const Usage& begin) {
    const Usage end = Now();
    wall_.push_back(end.wall - begin.wall);
    processor_.push_back(end.processor - begin.processor);
  }
  double median() {
    std::sort(wall_.begin(), wall_.end());
    return wall_[wall_.size() / 2];
  }
  void Print() {
    std::sort(processor_.begin(), processor_.end());
    const double middle = median();
    std::printf("%-44s best %7.2f ms  median %7.2f ms  CPU %7.2f ms\n", what_, wall_.front(),
                middle, processor_[processor_.size() / 2]);
  }

 private:
  const char* what_;
  std::vector<double> wall_;
  std::vector<double> processor_;
};

template <typename T>
T Must(Result<T> result) {
  if (!result.ok()) {
    std::fprintf(stderr, "state_bench: %s\n", result.status().message().c_str());
    std::exit(1);
  }
  return std::move(result).value();
}

void Must(const Status& status) {
  if (!status.ok()) Must(Result<int>(status));
}

std::unique_ptr<KeyedStep> MakeCounts() {
  static api::AggregateStep spec;
  spec.key = {"word"};
  spec.window = api::GlobalWindow{};
  spec.emit = api::Emit::kChanges;
  spec.values = {{"hits", "count()"}};
  api::Diagnostics diagnostics;
  StepEnv env;
  env.origin = kStage;
  env.path = "step";
  env.input.schema.Set({"word", Type(Kind::kString)});
  env.groups = kGroups;
  env.diagnostics = &diagnostics;
  auto step = MakeAggregateStep(spec, env);
  if (step == nullptr) std::exit(1);
  return step;
}

// All key groups of a step that counts words.
class Counts {
 public:
  explicit Counts(const KeyedStep& step) : step_(step) {
    for (int unit = 0; unit < kGroups; ++unit) operators_.push_back(step.MakeOperator());
  }

  // Counts "word<first>" to "word<first + keys - 1>" once more each.
  void CountWords(int first, int keys) {
    auto arena = std::make_shared<Arena>();
    auto column = std::make_shared<Column>(Type(Kind::kString));
    for (int i = first; i < first + keys; ++i)
      column->AppendView(arena->Copy("word" + std::to_string(i)));
    column->AddOwner(arena);
    auto schema = std::make_shared<Schema>();
    schema->Set({"word", Type(Kind::kString)});
    const RecordBatch rows(std::move(schema), {std::move(column)}, static_cast<size_t>(keys));
    BatchContext context;
    const TableSet tables;
    const TableLists lists;
    DeadLetters dead;
    TaskReport report;
    TaskRun run{&context, 0, &tables, &lists, &dead, &report};
    std::vector<std::vector<std::vector<RecordBatch>>> arrived(
        kGroups, std::vector<std::vector<RecordBatch>>(1));
    const auto writer = step_.MakeWriter(0);
    Must(writer->Add(rows, &run));
    Must(writer->Finish(&run, [&](int unit, RecordBatch sent) {
      arrived[static_cast<size_t>(unit)][0].push_back(std::move(sent));
    }));
    std::vector<RecordBatch> out;
    for (size_t unit = 0; unit < kGroups; ++unit)
      Must(operators_[unit]->Run(arrived[unit], &run, &out));
  }
  void Store(RedisStateLog* log, bool snapshots) {
    for (int unit = 0; unit < kGroups; ++unit) {
      KeyedOperator& op = *operators_[static_cast<size_t>(unit)];
      std::string bytes;
      if (snapshots) {
        op.EncodeSnapshot(&bytes);
        Must(log->PutSnapshot(kStage, unit, bytes));
      } else {
        op.EncodeDelta(&bytes);
        Must(log->PutDelta(kStage, unit, bytes));
      }
      op.Settle();
    }
  }
  void Restore(const RedisStateLog& log) {
    for (int unit = 0; unit < kGroups; ++unit) {
      KeyedOperator& op = *operators_[static_cast<size_t>(unit)];
      const UnitBlobs blobs = Must(log.Load(kStage, unit));
      if (!blobs.snapshot.empty()) Must(op.Apply(blobs.snapshot));
      for (const std::string& delta : blobs.deltas) Must(op.Apply(delta));
      op.Settle();
    }
  }
  int64_t keys() const {
    int64_t keys = 0;
    for (const auto& op : operators_) keys += op->keys();
    return keys;
  }

 private:
  const KeyedStep& step_;
  std::vector<std::unique_ptr<KeyedOperator>> operators_;
};

class Bench {
 public:
  Bench() : step_(MakeCounts()), store_(Client(), JobKey("ns", "bench", "id"), {}) {}

  void Commit(int changed) {
    Lead();
    Counts counts(*step_);
    RedisStateLog log(Client(), Options(), &clock_);
    Must(log.Recover("1-a", 0, {}, {}));
    Rounds encode("encode and compress deltas");
    Rounds commit("write deltas, prepared, commit");
    Rounds limit("limit: one pipelined SET of the same bytes");
    const std::unique_ptr<RedisClient> plain = Client();
    for (int batch = 1; batch <= kRounds; ++batch) {
      counts.CountWords(0, changed);
      Usage begin = Now();
      counts.Store(&log, false);
      encode.Add(begin);
      Call(AppendPlan{lease_, "1-a", Digest(batch - 1), {batch, Digest(batch), "spec", "plan"}});
      begin = Now();
      Must(log.Flush(batch, {}));
      Call(PutPrepared{"1-a", 0, batch, log.Report()});
      Call(CommitBatch{lease_, "1-a", batch, Digest(batch), "record", {{"p:in/0", "1"}}});
      commit.Add(begin);
      const int64_t bytes = log.flushed().delta_bytes;
      begin = Now();
      SetPlain(plain.get(), bytes);
      limit.Add(begin);
      if (batch == kRounds) std::printf("%d changed keys: %ld bytes stored\n", changed, bytes);
    }
    encode.Print();
    commit.Print();
    limit.Print();
    std::printf("beyond the limit: %.2f ms (aim: < 5 ms)\n", commit.median() - limit.median());
  }

  void Recover(int keys) {
    Counts counts(*step_);
    RedisStateLog log(Client(), Options(), &clock_);
    Must(log.Recover("2-b", 0, {}, {}));
    counts.CountWords(0, keys);
    counts.Store(&log, true);
    Must(log.Flush(1, {}));
    for (int batch = 2; batch <= 10; ++batch) {
      counts.CountWords(batch * 1000, keys / 100);
      counts.Store(&log, false);
      Must(log.Flush(batch, {}));
    }
    Rounds recover("read and restore");
    for (int i = 0; i < 3; ++i) {
      Heads heads;
      Must(DecodeHeads(log.Report(), &heads));
      Counts restored(*step_);
      RedisStateLog next(Client(), Options(), &clock_);
      const Usage begin = Now();
      Must(next.Recover("3-c", 10, heads, {}));
      restored.Restore(next);
      recover.Add(begin);
      if (i == 0)
        std::printf("%ld keys, %ld bytes decoded\n", restored.keys(), next.loaded_bytes());
    }
    recover.Print();
    std::printf("(aim: < 2000 ms)\n");
  }

 private:
  std::unique_ptr<RedisClient> Client() {
    RedisSettings settings;
    settings.addresses = {server_.address()};
    return Must(RedisClient::Create(settings, &clock_));
  }
  static RedisStateLog::Options Options() {
    return {"ns", "bench", "id", [](const std::string&, int unit) { return unit; }};
  }
  static std::string Digest(int64_t batch) { return batch == 0 ? "" : "D" + std::to_string(batch); }
  StoreReply Call(const StoreRequest& request) {
    StoreReply reply = store_.Call(request);
    if (!reply.ok()) Must(InternalError(reply.detail));
    return reply;
  }
  void Lead() {
    Call(InitJob{0, "spec"});
    lease_ = Call(AcquireLease{"", 0, "token", "a", "a:1", 0}).lease;
    const Generation generation{
        "1-a", 1, 1, "spec", 1, false, 1, {{"a", "a:1"}}, std::vector<int>(kGroups), {}};
    Call(NewGeneration{lease_, {}, 0, generation});
    Call(MarkReady{"1-a", 0, {}});
    Call(OpenGeneration{lease_, {}, generation});
  }
  static void SetPlain(RedisClient* client, int64_t bytes) {
    const std::string part(static_cast<size_t>(bytes / kGroups), 'x');
    std::vector<std::string> keys;
    for (int i = 0; i < kGroups; ++i) keys.push_back("plain" + std::to_string(i));
    std::vector<RedisCommand> commands;
    for (const std::string& key : keys) commands.push_back({key, {"SET", key, part}});
    Must(client->Pipeline(commands, {}));
  }

  RedisServer server_{RedisServer::Options{{"appendonly", "yes"}, {"appendfsync", "everysec"}}};
  SystemClock clock_;
  std::unique_ptr<KeyedStep> step_;
  RedisJobStore store_;
  Lease lease_;
};

}  // namespace
}  // namespace millrace::worker

int main(int argc, char** argv) {
  using namespace millrace::worker;
  if (!RedisServer::Installed()) {
    std::fprintf(stderr, "state_bench: there is no redis-server\n");
    return 1;
  }
  Bench().Commit(argc > 1 ? std::atoi(argv[1]) : 100'000);
  Bench().Recover(argc > 2 ? std::atoi(argv[2]) : 1'000'000);
}
