#include "operator/controller/worker_progress.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "crds/base/text.h"

namespace millrace::controller {
namespace {

using simdjson::SUCCESS;
using simdjson::dom::array;
using simdjson::dom::element;
using Member = simdjson::simdjson_result<element>;

constexpr double kBusyEnough = 0.8;  // below, a slow sink holds nothing back

std::string TextOf(const Member& from) {
  std::string_view text;
  return from.get(text) == SUCCESS ? std::string(text) : "";
}

int64_t IntOf(const Member& from, int64_t otherwise = 0) {
  int64_t value = 0;
  return from.get(value) == SUCCESS ? value : otherwise;
}

Duration MillisecondsOf(const Member& from) {
  double value = 0;
  if (from.get(value) != SUCCESS || !std::isfinite(value)) return Duration(0);
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(value));
}

TimePoint TimeOf(const Member& from) {
  const Result<TimePoint> time = ParseRfc3339(TextOf(from));
  return time.ok() ? *time : TimePoint{};
}

int64_t PartitionsOf(const element& batch) {
  int64_t count = 0;
  array sources;
  if (batch["sources"].get(sources) != SUCCESS) return 0;
  for (const element source : sources) {
    array ranges;
    if (source["ranges"].get(ranges) == SUCCESS) count += static_cast<int64_t>(ranges.size());
  }
  return count;
}

void ReadBatches(const element& root, WorkerAnswer* answer) {
  array batches;
  if (root["batches"].get(batches) != SUCCESS) return;
  for (const element batch : batches) {
    answer->partitions = std::max(answer->partitions, PartitionsOf(batch));
    answer->batches.push_back({.number = IntOf(batch["batch"]),
                               .time = TimeOf(batch["batchTime"]),
                               .input_records = IntOf(batch["inputRecords"]),
                               .scheduling_delay = MillisecondsOf(batch["schedulingDelayMs"]),
                               .processing = MillisecondsOf(batch["processingDelayMs"]),
                               .compute = MillisecondsOf(batch["computeMs"]),
                               .output = MillisecondsOf(batch["outputMs"])});
  }
}

void ReadFailures(const element& root, WorkerAnswer* answer) {
  array errors;
  if (root["errors"].get(errors) != SUCCESS) return;
  for (const element error : errors)
    answer->failures.push_back({TimeOf(error["time"]), TextOf(error["error"])});
}

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

Result<WorkerAnswer> ReadWorkerAnswer(std::string_view json) {
  simdjson::dom::parser parser;
  element root;
  if (const auto error = parser.parse(json.data(), json.size()).get(root); error != SUCCESS)
    return InvalidError(std::string("a worker's status cannot be read: ") +
                        simdjson::error_message(error));
  WorkerAnswer answer;
  const std::string phase = TextOf(root["phase"]);
  if (phase.empty()) return InvalidError("a worker's status has no phase");
  answer.completed = phase == "completed";
  const bool alive = answer.completed || phase == "running" || phase == "starting";
  if (!alive) answer.halt = phase;
  answer.committed_batch = IntOf(root["committedBatch"]);
  answer.lag_records = IntOf(root["lagRecords"], -1);
  const Member worker = root["worker"];
  bool leading = false;
  answer.leading = worker["leading"].get(leading) == SUCCESS && leading;
  answer.epoch = IntOf(worker["epoch"]);
  ReadBatches(root, &answer);
  ReadFailures(root, &answer);
  return answer;
}

std::optional<WorkerAnswer> ForJob(std::vector<WorkerAnswer> answers) {
  if (answers.empty()) return std::nullopt;
  const auto rank = [](const WorkerAnswer& answer) {
    return std::tuple(answer.leading, answer.leading ? answer.epoch : 0, answer.committed_batch);
  };
  const auto best = std::max_element(
      answers.begin(), answers.end(),
      [&](const WorkerAnswer& a, const WorkerAnswer& b) { return rank(a) < rank(b); });
  return std::move(*best);
}

void ProgressTracker::Take(const std::optional<WorkerAnswer>& answer, int64_t unschedulable,
                           TimePoint now) {
  asked_ = true;
  if (!answer) {
    if (now - answered_ >= kPatience) report_.reset();
    load_.reset();
    return;
  }
  answered_ = now;
  WorkerReport next;
  next.revision = answer->revision;
  // Batches are those that this worker led; a leader that has taken all there is has none to show.
  next.committed = answer->leading && answer->halt.empty() &&
                   (!answer->batches.empty() || answer->lag_records == 0);
  next.committed_batch = answer->committed_batch;
  next.lag_records = std::max<int64_t>(0, answer->lag_records);
  next.completed = answer->completed;
  next.halt = answer->halt;
  const bool moved = !report_ || report_->committed_batch != answer->committed_batch;
  next.last_commit = moved || answer->lag_records == 0 ? now : report_->last_commit;
  if (!answer->batches.empty()) {
    const WorkerAnswer::Batch& newest = answer->batches.front();
    next.batch_time = newest.time;
    next.processing = newest.processing;
    next.scheduling_delay = newest.scheduling_delay;
  }
  if (!answer->failures.empty()) {
    next.error = answer->failures.front().message;
    next.error_time = answer->failures.front().time;
  }
  report_ = std::move(next);
  if (std::optional<LoadWindow> window = WindowOf(*answer, unschedulable)) load_ = window;
}

// The batches since the end of the last window, all that are known the first time.
std::optional<LoadWindow> ProgressTracker::WindowOf(const WorkerAnswer& answer,
                                                    int64_t unschedulable) {
  if (answer.batches.size() < 2) return std::nullopt;
  const TimePoint end = answer.batches.front().time;
  const TimePoint begin = std::max(window_end_.value_or(TimePoint{}), answer.batches.back().time);
  if (end - begin < kLeastWindow) return std::nullopt;
  LoadWindow window{.end = end, .partitions = answer.partitions, .unschedulable = unschedulable};
  int64_t records = 0;
  Duration busy{0}, compute{0}, output{0};
  for (const WorkerAnswer::Batch& batch : answer.batches) {
    if (batch.time <= begin) break;
    records += batch.input_records;
    busy += batch.processing;
    compute += batch.compute;
    output += batch.output;
  }
  for (const WorkerAnswer::Failure& failure : answer.failures)
    window.failed_batches += failure.time > begin ? 1 : 0;
  const double span = Seconds(end - begin);
  window.lag_records = std::max<int64_t>(0, answer.lag_records);
  window.processed_rate = static_cast<double>(records) / span;
  const int64_t growth = window_end_ ? window.lag_records - window_lag_ : 0;
  window.arrival_rate = std::max(0.0, window.processed_rate + static_cast<double>(growth) / span);
  window.busy = std::clamp(Seconds(busy) / span, 0.0, 1.0);
  window.slow_sink = window.busy > kBusyEnough && output > compute;
  window_end_ = end;
  window_lag_ = window.lag_records;
  return window;
}

}  // namespace millrace::controller
