#include "worker/runtime/query/state_query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crds/api/codec.h"

namespace millrace::worker {
namespace {

using ::testing::HasSubstr;

constexpr const char* kJob = R"(apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: job}
spec:
  batchInterval: 1s
  sources:
    - {name: events, file: {path: /none}, format: {json: {schema: {user: string, number: int}}}}
  streams:
    - name: counts
      from: events
      steps: [{aggregate: {key: [user], window: {global: {}}, values: {hits: count()}, emit: Changes}}]
    - name: numbers
      from: events
      steps: [{aggregate: {key: [number], window: {global: {}}, values: {hits: count()}, emit: Changes}}]
    - name: once
      from: events
      steps: [{dedup: {key: [user], within: 1h}}]
  sinks:
    - {name: a, from: counts, console: {}}
    - {name: b, from: numbers, console: {}}
    - {name: c, from: once, console: {}}
)";

// State that is empty, or cannot be read.
class FakeState final : public CommittedState {
 public:
  class View final : public CommittedView {
   public:
    int64_t batch() const override { return 7; }
    TimePoint batch_time() const override { return TimePoint(std::chrono::seconds(60)); }
    const std::vector<TimePoint>& watermarks() const override { return watermarks_; }
    Result<std::vector<UnitBlobs>> Load(const std::vector<int>& units) override {
      return std::vector<UnitBlobs>(units.size());
    }

   private:
    std::vector<TimePoint> watermarks_ = {TimePoint::min()};
  };
  Result<std::unique_ptr<CommittedView>> Open(const std::string&,
                                              const std::vector<int>& units) override {
    opened = units;
    if (!status.ok()) return status;
    return std::unique_ptr<CommittedView>(std::make_unique<View>());
  }

  Status status;
  std::vector<int> opened;
};

class StateQueriesTest : public ::testing::Test {
 protected:
  StateQueriesTest() {
    api::JobDocument document = api::ParseJob(kJob);
    job_ = std::move(document.job);
    auto plan = BuildPlan(job_, &document.diagnostics);
    EXPECT_TRUE(plan.ok()) << plan.status();
    plan_ = std::move(plan).value();
  }
  HttpServerReply Get(const std::string& path, std::map<std::string, std::string> query = {}) {
    HttpServerRequest request;
    request.method = "GET";
    request.path = path;
    request.query = std::move(query);
    return StateQueries(&plan_, &state_).Answer(request);
  }
  void ExpectError(int status, const std::string& text, const std::string& step,
                   std::map<std::string, std::string> query) {
    const HttpServerReply reply = Get("/state/" + step, std::move(query));
    EXPECT_EQ(reply.status, status) << reply.body;
    EXPECT_THAT(reply.body, HasSubstr(text));
  }

  api::StreamingJob job_;
  JobPlan plan_;
  FakeState state_;
};

TEST_F(StateQueriesTest, ListsTheStepsWithState) {
  const HttpServerReply reply = Get("/state");
  EXPECT_EQ(reply.status, 200);
  EXPECT_THAT(reply.body, HasSubstr(R"({"step":"counts.aggregate",)"));
  EXPECT_THAT(reply.body, HasSubstr(R"("step":"once.dedup")"));
  EXPECT_THAT(reply.body, HasSubstr(R"("readable":false)"));
}

TEST_F(StateQueriesTest, AStateWithoutRowsIsAnEmptyList) {
  const HttpServerReply reply = Get("/state/counts.aggregate");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.body,
            R"({"step":"counts.aggregate","batch":7,"batchTime":"1970-01-01T00:01:00Z",)"
            R"("truncated":false,"rows":[]})"
            "\n");
  EXPECT_EQ(state_.opened.size(), 128u) << "all key groups";
}

TEST_F(StateQueriesTest, AKeyIsLookedForInItsGroupOnly) {
  ExpectError(404, "no state for key ann after batch 7", "counts.aggregate", {{"key", "ann"}});
  EXPECT_EQ(state_.opened, std::vector<int>{KeyGroupOf(HashKey("ann"), 128)});
}

TEST_F(StateQueriesTest, RefusesQuestionsThatCannotBeAsked) {
  ExpectError(404, "no step", "counts", {});
  ExpectError(400, "is not readable", "once.dedup", {});
  ExpectError(400, "1 to 10000", "counts.aggregate", {{"limit", "10001"}});
  ExpectError(400, "1 to 10000", "counts.aggregate", {{"limit", "0"}});
  ExpectError(400, "1 to 10000", "counts.aggregate", {{"limit", "5x"}});
  ExpectError(400, "unknown parameter", "counts.aggregate", {{"keys", "ann"}});
  ExpectError(400, "not both", "counts.aggregate", {{"key", "a"}, {"prefix", "a"}});
  ExpectError(400, "not a string", "numbers.aggregate", {{"prefix", "1"}});
  ExpectError(400, "key: ", "numbers.aggregate", {{"key", "one"}});
}

TEST_F(StateQueriesTest, SaysWhenStateCannotBeRead) {
  state_.status = UnavailableError("redis is away");
  ExpectError(503, "redis is away", "counts.aggregate", {});
  state_.status = InternalError("StateLost: x");
  ExpectError(500, "StateLost", "counts.aggregate", {});
}

}  // namespace
}  // namespace millrace::worker
