#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "worker/client/http_server.h"
#include "worker/plan/job_plan.h"
#include "worker/runtime/query/committed_state.h"
#include "worker/step/readable_step.h"

namespace millrace::worker {

// Answers GET /state and GET /state/<step>?key=...|prefix=...&limit=... with rows of committed
// state as JSON (docs/queryable-state.md). Never shows what is not committed, and all rows of an
// answer are of one batch. Bounded: kMaxLimit rows, kMaxBytes, kMaxWaiting queries at a time, of
// which one is worked on. Thread-safe; what it is given outlives it. Errors are replies: 400 for a
// question that cannot be asked, 404 for an unknown step or key, 503 for state that cannot be read
// now or too many queries, 500 for damage.
class StateQueries {
 public:
  static constexpr int64_t kDefaultLimit = 100;
  static constexpr int64_t kMaxLimit = 10'000;
  static constexpr size_t kMaxBytes = 16 << 20;
  static constexpr int kMaxWaiting = 4;

  StateQueries(const JobPlan* plan, CommittedState* state) : plan_(plan), state_(state) {}

  // `path` is one of kPaths.
  HttpServerReply Answer(const HttpServerRequest& request);
  // Of HttpRoute.
  static constexpr const char* kPaths[] = {"/state", "/state/*"};

 private:
  struct Question;
  struct Rows;
  HttpServerReply ListSteps() const;
  Result<std::string> Ask(const std::string& step, const HttpServerRequest& request);
  Result<Question> Parse(const std::string& step, const HttpServerRequest& request) const;
  Result<std::string> Read(const Question& question);
  Status ReadUnit(const Question& question, const CommittedView& view, int unit,
                  const UnitBlobs& blobs, Rows* rows) const;

  const JobPlan* plan_;
  CommittedState* state_;
  std::atomic<int> waiting_{0};
  std::mutex reading_;
};

}  // namespace millrace::worker
