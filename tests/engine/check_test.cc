#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crds/api/codec.h"
#include "worker/plan/job_plan.h"

namespace millrace::worker {
namespace {

std::vector<std::string> ErrorPaths(const std::string& steps) {
  api::JobDocument document = api::ParseJob(
      "apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: x}\nspec:\n"
      "  sources: [{name: lines, stdin: {}, format: {text: {}}}]\n"
      "  streams: [{name: s, from: lines, steps: [" + steps + "]}]\n"
      "  sinks: [{name: o, from: s, console: {}}]\n");
  EXPECT_FALSE(api::HasErrors(document.diagnostics));
  EXPECT_FALSE(BuildPlan(document.job, &document.diagnostics).ok());
  std::vector<std::string> paths;
  for (const api::Diagnostic& diagnostic : document.diagnostics) paths.push_back(diagnostic.path);
  return paths;
}

TEST(CheckTest, GoesOnBehindAWrongFilter) {
  EXPECT_THAT(ErrorPaths("{filter: valu != \"\"}, {set: {length: value.sizes()}}"),
              ::testing::ElementsAre("spec.streams[0].steps[0].filter", "spec.streams[0].steps[1].set.length"));
}

TEST(CheckTest, ReportsEveryExpressionOfAStep) {
  EXPECT_THAT(ErrorPaths("{map: {a: foo, b: bar}}"),
              ::testing::UnorderedElementsAre("spec.streams[0].steps[0].map.a", "spec.streams[0].steps[0].map.b"));
}

}  // namespace
}  // namespace millrace::worker
