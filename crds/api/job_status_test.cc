#include "crds/api/job_status.h"

#include <gtest/gtest.h>

#include "crds/api/field_writer.h"

namespace millrace::api {
namespace {

std::string Write(JobStatus status) {
  JsonWriter out;
  FieldWriter::Write([&](Fields& fields) { Describe(fields, status); }, &out);
  return out.Take();
}

TEST(JobStatusTest, LeavesOutWhatIsNotKnown) {
  EXPECT_EQ(Write({}), R"({"workers":{},"batch":{}})");
}

TEST(JobStatusTest, WritesWhatKubectlPrints) {
  JobStatus status;
  status.phase = JobPhase::kStalled;
  status.edit = EditClass::kRoll;
  status.edited = {"streams"};
  status.workers.ready = 2;
  status.batch.duration = std::chrono::milliseconds(340);
  status.lag_records = 1200;
  status.last_error = JobError{.message = "topic lines is gone", .time = TimePoint()};
  EXPECT_EQ(Write(status),
            R"({"phase":"Stalled","edit":"Roll","edited":["streams"],"workers":{"ready":2},)"
            R"("batch":{"duration":"340ms"},"lagRecords":1200,)"
            R"("lastError":{"message":"topic lines is gone","time":"1970-01-01T00:00:00Z"}})");
}

TEST(JobStatusTest, WritesConditionsAsKubernetesHasThem) {
  JobStatus status;
  status.conditions.push_back({.type = "Ready",
                               .status = JobCondition::Truth::kTrue,
                               .reason = "Committing",
                               .message = "",
                               .last_transition_time = {},
                               .observed_generation = 3});
  EXPECT_EQ(Write(status),
            R"({"workers":{},"batch":{},"conditions":[{"type":"Ready","status":"True",)"
            R"("reason":"Committing","message":"","observedGeneration":3}]})");
}

}  // namespace
}  // namespace millrace::api
