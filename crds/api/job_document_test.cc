#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <set>

#include "crds/api/field_docs.h"
#include "crds/api/job_text.h"
#include "crds/api/support.h"
#include "crds/base/file.h"

namespace millrace::api {
namespace {

// ctest sets the variable; a run by hand starts at the top of the repository.
std::filesystem::path JobFolder() {
  const char* top = std::getenv("MILLRACE_SOURCE_DIR");
  return std::filesystem::path(top == nullptr ? "." : top) / "tests/fuzz/corpus/job";
}
const std::filesystem::path kJobs = JobFolder();

TEST(JobDocumentTest, AcceptsEveryShapeOfJobAndReadsItsOwnJson) {
  size_t jobs = 0;
  const std::vector<std::string> names = ListDirectory(kJobs.string()).value();
  for (const std::string& name : names) {
    if (name == "aliases.yaml") continue;
    const std::string text = ReadFile((kJobs / name).string(), 1 << 20).value();
    EXPECT_EQ(Errors(text), std::vector<std::string>()) << name;
    const std::string json = ToJson(ParseJob(text).job);
    EXPECT_EQ(Errors(json), std::vector<std::string>()) << name;
    EXPECT_EQ(ToJson(ParseJob(json).job), json) << name;
    ++jobs;
  }
  EXPECT_GE(jobs, 13u);
}

TEST(JobDocumentTest, ReportsAllErrorsInOnePassInOrderOfTheText) {
  const std::vector<std::string> errors =
      Errors(Spec("  workers: many\n  onError: Null\n  batchInterval: 5\n  nme: 1"));
  ASSERT_EQ(errors.size(), 4u);
  for (size_t i = 0; i < errors.size(); ++i) {
    EXPECT_TRUE(errors[i].starts_with("job.yaml:" + std::to_string(7 + i))) << errors[i];
  }
}

TEST(JobDocumentTest, FillsNamesThatAreNotGiven) {
  const JobDocument document =
      ParseJob(Steps("- filter: 'true'\n- join: {with: lines, key: [value], window: {batch: {}}}"));
  ASSERT_FALSE(HasErrors(document.diagnostics));
  const std::vector<Step>& steps = document.job.spec.streams[0].steps;
  EXPECT_EQ(steps[0].name, "filter");
  EXPECT_EQ(std::get<JoinStep>(steps[1].kind).as, "lines");
  EXPECT_EQ(std::get<JoinStep>(steps[1].kind).with_key, std::vector<std::string>{"value"});
}

TEST(JobDocumentTest, MapsOffsetsOfOneLineScalarsOntoColumns) {
  const JobDocument document =
      ParseJob(Steps("- filter: wrod == 1\n- filter: 'a == b'\n- filter: \"a == \\\"b\\\"\"\n- "
                     "filter: >\n    a\n    == b"));
  const auto at = [&](int step) {
    return document.positions.at("spec.streams[0].steps[" + std::to_string(step) + "].filter");
  };
  EXPECT_EQ(at(0).column, 19);
  EXPECT_EQ(at(1).column, 20);
  EXPECT_TRUE(at(0).offsets_map);
  EXPECT_TRUE(at(1).offsets_map);
  EXPECT_FALSE(at(2).offsets_map);
  EXPECT_FALSE(at(3).offsets_map);
  const Diagnostic found{.path = "spec.streams[0].steps[1].filter", .message = "bad", .offset = 5};
  EXPECT_EQ(Render(found, "job.yaml", document.positions),
            "job.yaml:12:25: spec.streams[0].steps[1].filter: bad");
}

TEST(JobDocumentTest, AppliesOverridesByIndexAndByName) {
  const std::vector<Override> overrides{{"spec.batchInterval", "250ms"},
                                        {"spec.sources.lines.maxRatePerPartition", "7"},
                                        {"spec.sinks[0].console.rows", "3"}};
  const JobDocument document = ParseJob(Spec("  workers: 1"), overrides);
  ASSERT_FALSE(HasErrors(document.diagnostics));
  EXPECT_EQ(document.job.spec.batch_interval, std::chrono::milliseconds(250));
  EXPECT_EQ(document.job.spec.sources[0].max_rate_per_partition, 7);
  EXPECT_EQ(std::get<ConsoleSink>(document.job.spec.sinks[0].kind).rows, 3);
}

TEST(JobDocumentTest, RefusesOverridesWithTheNameTheyMean) {
  const std::vector<std::pair<Override, std::string>> cases{
      {{"spec.batchIntervl", "1s"},
       "job.yaml: spec.batchIntervl: unknown field \"batchIntervl\"; did you mean "
       "\"batchInterval\"?"},
      {{"spec.sources.line.onError", "Skip"},
       "job.yaml: spec.sources.line.onError: --set: no item is named \"line\"; did you mean "
       "\"lines\"?"},
      {{"spec.sources[4].name", "x"},
       "job.yaml: spec.sources[4].name: --set: no item [4]; the list has 1"},
      {{"spec.workers", "many"},
       "job.yaml: spec.workers: expected an integer from 0 to 1000, found the string \"many\""},
  };
  for (const auto& [change, want] : cases) {
    const JobDocument document = ParseJob(Spec("  suspend: false"), std::span(&change, 1));
    ASSERT_EQ(document.diagnostics.size(), 1u) << change.path;
    const std::string found = Render(document.diagnostics[0], "job.yaml", document.positions);
    EXPECT_EQ(found.substr(found.find(": spec")), want.substr(want.find(": spec")));
  }
}

// About 0.1 s on a quiet machine; ThreadSanitizer makes it ten times as long.
#if defined(__SANITIZE_THREAD__)
constexpr double kHostileSeconds = 10;
#else
constexpr double kHostileSeconds = 1;
#endif

TEST(JobDocumentTest, RefusesHugeAndHostileTextQuickly) {
  std::string steps = kHead + "  streams:\n    - name: s\n      steps:\n";
  for (int i = 0; i < 10'000; ++i) steps += "        - filter: a\n";
  std::string keys = kHead;
  for (int i = 0; i < 30'000; ++i) keys += "  key" + std::to_string(i) + ": 1\n";
  const std::vector<std::string> texts{steps,
                                       keys,
                                       "a: " + std::string(600, '['),
                                       "a: " + std::string(100'000, '['),
                                       std::string(2'000'000, '#'),
                                       std::string(50'000, '{')};
  for (const std::string& text : texts) {
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_FALSE(Errors(text).empty()) << text.substr(0, 20);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    EXPECT_LT(took.count(), kHostileSeconds) << text.substr(0, 20);
  }
}

TEST(SupportTest, RefusesWhatThisBuildCannotRun) {
  const std::string text = R"(apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: refused}
spec:
  sources: [{name: lines, stdin: {}, format: {text: {}}}]
  sinks: [{name: out, from: lines, sql: {url: "mysql://db/x", table: lines}}]
  reset: {id: a, state: Keep}
)";
  const JobDocument document = ParseJob(text);
  Diagnostics refused;
  RefuseUnsupported(document.job, &refused);
  ASSERT_EQ(refused.size(), 2u);
  EXPECT_EQ(Render(refused[0], "job.yaml", document.positions),
            "job.yaml:6:41: spec.sinks[0].sql: the sink sql is not supported yet; use console, "
            "file, http, kafka or redis, or run with --sink console");
  EXPECT_EQ(refused[1].path, "spec.reset");
}

TEST(FieldDocsTest, SaysSomethingAboutEveryFieldOnce) {
  std::set<std::string> paths;
  for (const FieldDoc& doc : FieldDocs()) {
    EXPECT_TRUE(paths.insert(doc.path).second) << doc.path << " twice";
    EXPECT_TRUE(doc.meaning.ends_with('.')) << doc.path << ": " << doc.meaning;
    EXPECT_FALSE(doc.type.empty()) << doc.path;
  }
  for (const char* path :
       {"spec.batchInterval", "spec.sources[].kafka.startFrom.timestamp",
        "spec.streams[].steps[].filter", "spec.streams[].steps[].state.fields.<name>.init",
        "spec.pod.volumes[].secret.secretName"}) {
    EXPECT_TRUE(paths.contains(path)) << path;
  }
}

// Every member of a job that has all defaults filled in is documented.
TEST(FieldDocsTest, CoversWhatIsRead) {
  std::set<std::string> paths;
  for (const FieldDoc& doc : FieldDocs()) paths.insert(doc.path);
  const JobDocument document = ParseJob(ToJson(ParseJob(Spec("  workers: 1")).job));
  for (const auto& [path, position] : document.positions) {
    std::string plain;
    for (size_t i = 0; i < path.size(); ++i) {
      plain += path[i];
      if (path[i] == '[') i = path.find(']', i) - 1;
    }
    const bool element =
        plain.empty() || plain.ends_with(']') || plain.find("resources.") != std::string::npos;
    EXPECT_TRUE(element || paths.contains(plain)) << path;
  }
}

}  // namespace
}  // namespace millrace::api
