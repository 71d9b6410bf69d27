#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "crds/api/codec.h"
#include "crds/api/findings.h"
#include "worker/plan/job_plan.h"

// Whole manifests in, the errors of `millrace check` out.
namespace millrace::worker::testing {

// Every error of a manifest, as `millrace check` prints them.
inline std::vector<std::string> Check(const std::string& text) {
  api::JobDocument document = api::ParseJob(text);
  if (document.readable) {
    const bool planned = BuildPlan(document.job, &document.diagnostics, document.shape_errors).ok();
    EXPECT_EQ(planned, !api::HasErrors(document.diagnostics));
    api::SortByPlace(document.positions, &document.diagnostics);
  }
  std::vector<std::string> errors;
  for (const api::Diagnostic& diagnostic : document.diagnostics) {
    if (!diagnostic.warning)
      errors.push_back(api::Render(diagnostic, "job.yaml", document.positions));
  }
  return errors;
}

inline std::string Job(const std::string& streams,
                       const std::string& source = "{name: lines, stdin: {}, format: {text: {}}}") {
  return "apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: "
         "x}\nspec:\n"
         "  sources: [" +
         source + "]\n  streams:\n" + streams + "  sinks: [{name: o, from: s, console: {}}]\n";
}

inline std::string Steps(const std::string& steps) {
  return Job("    - {name: s, from: lines, steps: [" + steps + "]}\n");
}

}  // namespace millrace::worker::testing
