#include "worker/runtime/end_summary.h"

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

std::string Count(int64_t count, const char* one, const char* many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

}  // namespace

void EndSummary::OnBatchCommitted(const BatchInfo& info) {
  ++batches_;
  records_ += info.input_records;
  rows_ += info.output_records;
  bad_ += info.bad_records;
  rejected_ += info.rejected_records;
  late_ += info.late_records;
}

std::string EndSummary::Text(Duration elapsed) const {
  std::string text = Count(batches_, "batch", "batches") + ", " +
                     Count(records_, "record", "records") + " in, " + Count(rows_, "row", "rows") +
                     " out";
  if (bad_ > 0) text += ", " + std::to_string(bad_) + " bad";
  if (rejected_ > 0) text += ", " + std::to_string(rejected_) + " rejected";
  if (late_ > 0) text += ", " + std::to_string(late_) + " late";
  return text + ", in " + FormatDuration(std::chrono::floor<std::chrono::milliseconds>(elapsed));
}

}  // namespace millrace::worker
