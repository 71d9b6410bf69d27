#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crds/api/codec.h"

// Jobs for tests: a small good one, with one part replaced.
namespace millrace::api {

struct BadJob {
  std::string name;
  std::string text;
  std::vector<std::string> errors;  // rendered, warnings left out
};

inline const std::string kHead =
    "apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: j}\nspec:\n";
inline const std::string kSourceLine =
    "  sources: [{name: lines, stdin: {}, format: {text: {}}}]\n";
inline const std::string kSinkLine = "  sinks: [{name: out, from: lines, console: {}}]\n";

inline std::string Indent(std::string_view text, const std::string& by) {
  std::string result;
  while (true) {
    const size_t end = text.find('\n');
    result += by + std::string(text.substr(0, end)) + "\n";
    if (end == std::string_view::npos) return result;
    text.remove_prefix(end + 1);
  }
}

// The text as it is.
inline std::string Whole(std::string text) { return text; }
// With more fields of spec.
inline std::string Spec(const std::string& lines) {
  return kHead + kSourceLine + kSinkLine + lines + "\n";
}
// With these members of the source.
inline std::string WithSource(const std::string& lines) {
  return kHead + kSinkLine + "  sources:\n    - name: lines\n" + Indent(lines, "      ");
}
// With these members of the sink.
inline std::string WithSink(const std::string& lines) {
  return kHead + kSourceLine + "  sinks:\n    - name: out\n      from: lines\n" +
         Indent(lines, "      ");
}
// With one stream of these steps.
inline std::string Steps(const std::string& lines) {
  return kHead + kSourceLine + "  sinks: [{name: out, from: s, console: {}}]\n" +
         "  streams:\n    - name: s\n      from: lines\n      steps:\n" + Indent(lines, "        ");
}

inline std::vector<std::string> Errors(std::string_view text) {
  const JobDocument document = ParseJob(text);
  std::vector<std::string> errors;
  for (const Diagnostic& diagnostic : document.diagnostics) {
    if (!diagnostic.warning) errors.push_back(Render(diagnostic, "job.yaml", document.positions));
  }
  return errors;
}

}  // namespace millrace::api
