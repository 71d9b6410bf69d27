#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "tests/engine/fake_sink.h"
#include "tests/engine/fake_source.h"
#include "worker/schedule/scheduler.h"

// A whole job in one process on fakes: lists of batches in, lists of batches out.
namespace millrace::worker::testing {

MATCHER(IsOk, "is ok") {
  *result_listener << arg.ToString();
  return arg.ok();
}

using Ticks = std::vector<Tick>;
using Batches = std::vector<std::vector<std::string>>;

// What a test gives an engine besides the job.
struct EngineOptions {
  std::map<std::string, Ticks> ticks;  // by source
  std::string state;                   // directory, empty for memory
  int threads = 2;
  SchedulerOptions schedule;
  TimePoint start = TimePoint(std::chrono::seconds(1'704'067'200));  // 2024-01-01T00:00:00Z
};

// Plans `spec` (the text below "spec:", which ends up under a job's head) and runs it. A wrong spec
// fails the test.
class Engine : public JobListener {
 public:
  Engine(const std::string& spec, EngineOptions options);
  ~Engine() override;

  // Runs until the sources end, the options' limit or `Stop`.
  Status Run();
  void Stop() { stop_.request_stop(); }
  bool completed() const { return completed_; }

  FakeSource& source(const std::string& name) { return *sources_.at(name); }
  FakeSink& sink(const std::string& name) { return *sinks_.at(name); }
  ManualClock& clock() { return clock_; }
  // Committed rows of a sink, one list for each batch that had any.
  Batches Out(const std::string& sink_name);
  // Committed rows of all batches, sorted.
  std::vector<std::string> Sorted(const std::string& sink_name);

  std::vector<BatchInfo> committed;   // every batch, as listeners hear of it
  std::vector<std::string> failures;  // "batch/attempt: message"

 private:
  void OnBatchCommitted(const BatchInfo& info) override;
  void OnBatchFailed(int64_t batch, int attempt, const Status& status) override;
  void MakeParts(const std::string& spec);

  EngineOptions options_;
  ManualClock clock_;
  JobParts parts_;
  std::map<std::string, FakeSource*> sources_;
  std::map<std::string, FakeSink*> sinks_;
  std::stop_source stop_;
  bool completed_ = false;
};

// One source `in` of JSON records {k: string, v: int}, and with event time {at: timestamp}.
std::string Source(const std::string& name, const std::string& more = "");
std::string TimedSource(const std::string& name, const std::string& delay = "0s",
                        const std::string& more = "");
// {"k":"a","v":1} and {"k":"a","v":1,"at":"2024-01-01T00:00:05Z"}.
std::string Record(const std::string& key, int64_t value);
std::string Timed(const std::string& key, int64_t value, int second);
// "2024-01-01T00:00:05Z" for 5.
std::string Second(int second);

}  // namespace millrace::worker::testing
