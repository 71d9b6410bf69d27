#pragma once

#include <string>

#include "worker/schedule/listener.h"

namespace millrace::worker {

// Counts what one run did, for the line that `millrace run` ends with. Loop thread only.
class EndSummary final : public JobListener {
 public:
  void OnBatchCommitted(const BatchInfo& info) override;

  // "2 batches, 20 records in, 18 rows out, 2 bad, in 1.5s"; bad, rejected and late records only
  // where there are any.
  std::string Text(Duration elapsed) const;

 private:
  int64_t batches_ = 0;
  int64_t records_ = 0;
  int64_t rows_ = 0;
  int64_t bad_ = 0;
  int64_t rejected_ = 0;
  int64_t late_ = 0;
};

}  // namespace millrace::worker
