#include "worker/runtime/status_line.h"

#include <cstdio>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

std::string Scaled(double value, double step, std::initializer_list<const char*> units) {
  const char* unit = "";
  for (const char* next : units) {
    unit = next;
    if (value < step) break;
    if (next != *(units.end() - 1)) value /= step;
  }
  char text[48];
  std::snprintf(text, sizeof text,
                value < 100 && value != static_cast<int64_t>(value) ? "%.1f%s" : "%.0f%s", value,
                unit);
  return text;
}

}  // namespace

std::string ShortCount(double value) { return Scaled(value, 1000, {"", "k", "M", "G"}); }
std::string ShortBytes(int64_t bytes) {
  return Scaled(static_cast<double>(bytes), 1024, {" B", " KiB", " MiB", " GiB"});
}

void StatusLine::OnBatchCommitted(const BatchInfo& info) {
  const MonotonicTime now = clock_->Monotonic();
  const double seconds = std::chrono::duration<double>(now - last_).count();
  const double rate =
      batch_ == 0 || seconds <= 0 ? 0 : static_cast<double>(info.input_records) / seconds;
  rate_ = batch_ <= 1 ? rate : 0.7 * rate_ + 0.3 * rate;
  last_ = now;
  batch_ = info.plan.batch;
  records_ += info.input_records;
  lag_ = info.lag_records;
  state_bytes_ = info.state_bytes;
  delay_ = info.processing_delay;
  Show();
}

void StatusLine::OnIdle(int64_t lag_records) {
  lag_ = lag_records;
  rate_ = 0;
  Show();
}

void StatusLine::OnBatchFailed(int64_t batch, int attempt, const Status& status) {
  screen_->SetStatusLine("batch " + std::to_string(batch) + " failed (attempt " +
                         std::to_string(attempt) + "): " + Excerpt(status.message(), 160));
}

void StatusLine::Show() {
  std::string text = "batch " + std::to_string(batch_) + "  " + ShortCount(rate_) + " records/s  " +
                     ShortCount(static_cast<double>(records_)) + " in all";
  if (lag_ >= 0) text += "  lag " + ShortCount(static_cast<double>(lag_));
  text += "  state " + ShortBytes(state_bytes_) + "  " +
          FormatDuration(std::chrono::floor<std::chrono::milliseconds>(delay_)) + "/batch";
  screen_->SetStatusLine(text);
}

}  // namespace millrace::worker
