#include "worker/runtime/status_board.h"

#include "crds/base/json_writer.h"
#include "crds/base/text.h"

namespace millrace::worker {
namespace {

double Milliseconds(Duration duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

void WriteTime(JsonWriter& out, std::string_view key, TimePoint time) {
  out.Key(key);
  if (time == TimePoint::min())
    out.Null();
  else
    out.String(FormatRfc3339(time));
}

void WriteSource(JsonWriter& out, const PlannedSource& source) {
  out.BeginObject();
  out.Key("source");
  out.String(source.name);
  WriteTime(out, "watermark", source.watermark);
  out.Key("ranges");
  out.BeginArray();
  for (const PlannedRange& range : source.ranges) {
    out.BeginObject();
    out.Key("partition");
    out.Int(range.partition);
    out.Key("from");
    out.String(range.from);
    out.Key("to");
    out.String(range.to);
    out.EndObject();
  }
  out.EndArray();
  out.EndObject();
}

void WriteNumber(JsonWriter& out, std::string_view key, int64_t value) {
  out.Key(key);
  out.Int(value);
}

void WriteMilliseconds(JsonWriter& out, std::string_view key, Duration duration) {
  out.Key(key);
  out.Double(Milliseconds(duration));
}

std::string BatchJson(const BatchInfo& info) {
  JsonWriter out;
  out.BeginObject();
  WriteNumber(out, "batch", info.plan.batch);
  WriteTime(out, "batchTime", info.plan.batch_time);
  WriteNumber(out, "attempts", info.attempts);
  WriteNumber(out, "inputRecords", info.input_records);
  WriteNumber(out, "outputRecords", info.output_records);
  WriteNumber(out, "lateRecords", info.late_records);
  WriteNumber(out, "expiredKeys", info.expired_keys);
  WriteNumber(out, "badRecords", info.bad_records);
  WriteMilliseconds(out, "schedulingDelayMs", info.scheduling_delay);
  WriteMilliseconds(out, "processingDelayMs", info.processing_delay);
  WriteMilliseconds(out, "totalDelayMs", info.scheduling_delay + info.processing_delay);
  WriteMilliseconds(out, "computeMs", info.compute);
  WriteMilliseconds(out, "outputMs", info.output);
  WriteMilliseconds(out, "commitMs", info.commit);
  out.Key("sources");
  out.BeginArray();
  for (const PlannedSource& source : info.plan.sources) WriteSource(out, source);
  out.EndArray();
  out.EndObject();
  return out.Take();
}

void Keep(std::deque<std::string>* list, std::string entry, size_t limit) {
  list->push_front(std::move(entry));
  if (list->size() > limit) list->pop_back();
}

}  // namespace

StatusBoard::StatusBoard(std::string job, Duration batch_interval, Duration stalled_after,
                         const Clock* clock)
    : job_(std::move(job)),
      clock_(clock),
      batch_interval_(batch_interval),
      stalled_after_(stalled_after),
      started_(clock->Now()),
      last_sign_of_life_(clock->Monotonic()) {}

void StatusBoard::Touch() {
  last_sign_of_life_ = clock_->Monotonic();
  ready_ = true;
}

void StatusBoard::OnBatchCommitted(const BatchInfo& info) {
  std::string json = BatchJson(info);
  std::lock_guard lock(mutex_);
  Touch();
  committed_batch_ = info.plan.batch;
  records_ += info.input_records;
  state_bytes_ = info.state_bytes;
  lag_records_ = info.lag_records;
  rate_ = info.rate;
  Keep(&batches_, std::move(json), kKeptBatches);
}

void StatusBoard::OnBatchFailed(int64_t batch, int attempt, const Status& status) {
  JsonWriter out;
  out.BeginObject();
  WriteTime(out, "time", clock_->Now());
  WriteNumber(out, "batch", batch);
  WriteNumber(out, "attempt", attempt);
  out.Key("error");
  out.String(status.ToString());
  out.EndObject();
  std::lock_guard lock(mutex_);
  Keep(&errors_, out.Take(), kKeptErrors);
}

void StatusBoard::OnIdle(int64_t lag_records) {
  std::lock_guard lock(mutex_);
  Touch();
  lag_records_ = lag_records;
}

void StatusBoard::OnFollow(int64_t committed_batch) {
  std::lock_guard lock(mutex_);
  Touch();
  committed_batch_ = committed_batch;
}

void StatusBoard::AddSection(std::string name, std::function<std::string()> json) {
  sections_.emplace_back(std::move(name), std::move(json));
}

void StatusBoard::Retune(Duration batch_interval, Duration stalled_after) {
  std::lock_guard lock(mutex_);
  batch_interval_ = batch_interval;
  stalled_after_ = stalled_after;
}

void StatusBoard::SetEnded(const Status& status) {
  std::lock_guard lock(mutex_);
  ended_ = status.ok() ? "completed" : status.ToString();
}

bool StatusBoard::Healthy() const {
  std::lock_guard lock(mutex_);
  return clock_->Monotonic() - last_sign_of_life_ < stalled_after_;
}

bool StatusBoard::Ready() const {
  std::lock_guard lock(mutex_);
  return ready_;
}

std::string StatusBoard::Json() const {
  std::lock_guard lock(mutex_);
  JsonWriter out;
  out.BeginObject();
  out.Key("job");
  out.String(job_);
  out.Key("phase");
  out.String(!ended_.empty() ? ended_ : (ready_ ? "running" : "starting"));
  WriteTime(out, "startedAt", started_);
  out.Key("batchInterval");
  out.String(FormatDuration(batch_interval_));
  WriteNumber(out, "committedBatch", committed_batch_);
  WriteNumber(out, "inputRecords", records_);
  WriteNumber(out, "stateBytes", state_bytes_);
  WriteNumber(out, "lagRecords", lag_records_);
  out.Key("rateLimit");
  out.Double(rate_);
  out.Key("batches");
  out.BeginArray();
  for (const std::string& batch : batches_) out.Raw(batch);
  out.EndArray();
  out.Key("errors");
  out.BeginArray();
  for (const std::string& error : errors_) out.Raw(error);
  out.EndArray();
  for (const auto& [name, json] : sections_) {
    out.Key(name);
    out.Raw(json());
  }
  out.EndObject();
  return out.Take() + "\n";
}

}  // namespace millrace::worker
