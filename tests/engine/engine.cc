#include "tests/engine/engine.h"

#include <algorithm>
#include <utility>

#include "crds/api/codec.h"
#include "crds/base/log.h"
#include "crds/base/text.h"

namespace millrace::worker::testing {
namespace {

constexpr const char* kHead = R"(apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: test}
spec:
)";

std::string Text(const api::Diagnostics& diagnostics) {
  std::string text;
  for (const api::Diagnostic& diagnostic : diagnostics)
    text += diagnostic.path + ": " + diagnostic.message + "\n";
  return text;
}

}  // namespace

Engine::Engine(const std::string& spec, EngineOptions options)
    : options_(std::move(options)), clock_(options_.start) {
  ConfigureLog(LogLevel::kError, LogFormat::kText);  // failures are what many tests are about
  MakeParts(spec);
}

Engine::~Engine() = default;

void Engine::MakeParts(const std::string& spec) {
  api::JobDocument document = api::ParseJob(kHead + spec);
  parts_.clock = &clock_;
  parts_.job = std::make_unique<api::StreamingJob>(std::move(document.job));
  Result<JobPlan> plan = api::HasErrors(document.diagnostics)
                             ? Result<JobPlan>(InvalidError("the job does not parse"))
                             : BuildPlan(*parts_.job, &document.diagnostics);
  ASSERT_TRUE(plan.ok()) << plan.status() << "\n" << Text(document.diagnostics);
  parts_.plan = *std::move(plan);
  parts_.coordinator = options_.state.empty() ? MakeMemoryCoordinator("test")
                                              : MakeDirectoryCoordinator(options_.state);
  Result<JobRecord> record = parts_.coordinator->Open();
  ASSERT_TRUE(record.ok()) << record.status();
  parts_.record = *std::move(record);
  for (size_t i = 0; i < parts_.job->spec.sources.size(); ++i) {
    const std::string& name = parts_.job->spec.sources[i].name;
    auto source = std::make_unique<FakeSource>(options_.ticks[name], &clock_);
    sources_[name] = source.get();
    if (parts_.plan.inputs[i] != nullptr) parts_.plan.inputs[i]->Bind(source.get());
    parts_.sources.push_back(std::move(source));
  }
  for (const api::Sink& spec_sink : parts_.job->spec.sinks) {
    auto sink = std::make_unique<FakeSink>();
    sinks_[spec_sink.name] = sink.get();
    parts_.sinks.push_back(std::move(sink));
  }
  parts_.tables =
      std::make_unique<TableKeeper>(*parts_.job, parts_.plan, TableLoaderOptions{"", &clock_, {}});
  parts_.pool = std::make_unique<ThreadPool>(options_.threads);
}

Status Engine::Run() {
  if (parts_.pool == nullptr) return InvalidError("the job was not built");
  Scheduler scheduler(&parts_, options_.schedule, this);
  Status status = scheduler.Run(stop_.get_token());
  completed_ = scheduler.completed();
  return status;
}

void Engine::OnBatchCommitted(const BatchInfo& info) { committed.push_back(info); }

void Engine::OnBatchFailed(int64_t batch, int attempt, const Status& status) {
  failures.push_back(std::to_string(batch) + "/" + std::to_string(attempt) + ": " +
                     status.message());
}

Batches Engine::Out(const std::string& sink_name) {
  Batches batches;
  for (const auto& [batch, rows] : sink(sink_name).visible) batches.push_back(rows);
  return batches;
}

std::vector<std::string> Engine::Sorted(const std::string& sink_name) {
  std::vector<std::string> all;
  for (const auto& [batch, rows] : sink(sink_name).visible)
    all.insert(all.end(), rows.begin(), rows.end());
  std::sort(all.begin(), all.end());
  return all;
}

std::string Source(const std::string& name, const std::string& more) {
  return "    - {name: " + name +
         ", file: {path: /fake}, format: {json: {schema: {k: string, v: int}}}" + more + "}\n";
}

std::string TimedSource(const std::string& name, const std::string& delay,
                        const std::string& more) {
  return "    - {name: " + name +
         ", file: {path: /fake}, format: {json: {schema: {k: string, v: int, at: timestamp}}}, " +
         "eventTime: {timestampExpr: at, watermarkDelay: " + delay + "}" + more + "}\n";
}

std::string Record(const std::string& key, int64_t value) {
  return R"({"k":")" + key + R"(","v":)" + std::to_string(value) + "}";
}

std::string Timed(const std::string& key, int64_t value, int second) {
  return R"({"k":")" + key + R"(","v":)" + std::to_string(value) + R"(,"at":")" + Second(second) +
         "\"}";
}

std::string Second(int second) {
  return FormatRfc3339(TimePoint(std::chrono::seconds(1'704'067'200 + second)));
}

}  // namespace millrace::worker::testing
