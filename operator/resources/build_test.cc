#include "operator/resources/build.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "crds/api/codec.h"
#include "crds/base/file.h"
#include "operator/resources/job_file.h"
#include "operator/resources/revision.h"
#include "operator/resources/testing.h"

namespace millrace::controller {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

BuildOptions Options() { return {.image = "millrace:0.1.0", .pull_secrets = {}}; }

std::string Lines(const api::StreamingJob& job) {
  std::string text;
  for (const Object& object : BuildObjects(job, Options(), job.spec.workers))
    text += object.json + "\n";
  return text + BuildCleanupJob(job, Options()).json + "\n";
}

std::string Golden(const std::string& name) {
  const char* root = std::getenv("MILLRACE_SOURCE_DIR");
  const std::string path = std::string(root ? root : ".") + "/operator/resources/testdata/" + name;
  const Result<std::string> text = ReadFile(path, 1 << 20);
  return text.ok() ? *text : text.status().ToString();
}

// The objects of each kind, one a line.
TEST(BuildTest, ASmallJobGivesTheseBytes) { EXPECT_EQ(Lines(SmallJob()), Golden("small.jsonl")); }

TEST(BuildTest, AJobWithEveryPartOfAPodGivesTheseBytes) {
  EXPECT_EQ(Lines(FullJob()), Golden("full.jsonl"));
}

TEST(BuildTest, EqualJobsGiveEqualBytes) { EXPECT_EQ(Lines(FullJob()), Lines(FullJob())); }

TEST(BuildTest, EveryObjectIsOwnedByTheJobAndInItsNamespace) {
  for (const Object& object : BuildObjects(FullJob(), Options(), 3)) {
    EXPECT_THAT(object.json, HasSubstr(R"("namespace":"bank")")) << ToString(object.key);
    EXPECT_THAT(object.json, HasSubstr(R"("uid":"93ab","controller":true)"))
        << ToString(object.key);
    EXPECT_THAT(object.json, HasSubstr("content\":\"" + object.content)) << ToString(object.key);
  }
}

TEST(BuildTest, PodsAreRestrictedAndCarryNoToken) {
  for (const Object& object :
       {BuildDeployment(FullJob(), Options(), "r", 1), BuildCleanupJob(FullJob(), Options())}) {
    for (const char* wanted :
         {R"("automountServiceAccountToken":false)", R"("runAsNonRoot":true,"runAsUser":10001)",
          R"("seccompProfile":{"type":"RuntimeDefault"})", R"("allowPrivilegeEscalation":false)",
          R"("readOnlyRootFilesystem":true)", R"("capabilities":{"drop":["ALL"]})"}) {
      EXPECT_THAT(object.json, HasSubstr(wanted));
    }
    for (const char* unwanted : {"hostPath", "hostNetwork", "hostPID", "hostPort", "privileged"})
      EXPECT_THAT(object.json, Not(HasSubstr(unwanted)));
  }
}

TEST(BuildTest, SecretsAreMountedByReferenceAndNowhereElse) {
  const std::string json = BuildDeployment(FullJob(), Options(), "r", 1).json;
  for (const char* secret : {"kafka-login", "kafka-tls", "redis-login", "redis-tls"}) {
    EXPECT_THAT(json, HasSubstr(R"("secretName":")" + std::string(secret) + '"'));
    EXPECT_THAT(json, HasSubstr("/etc/millrace/secrets/" + std::string(secret)));
  }
}

TEST(BuildTest, ScalingChangesTheDeploymentOnly) {
  const api::StreamingJob job = SmallJob();
  const auto two = BuildObjects(job, Options(), 2);
  const auto five = BuildObjects(job, Options(), 5);
  ASSERT_EQ(two.size(), five.size());
  for (size_t i = 0; i < two.size(); ++i)
    EXPECT_EQ(two[i].content != five[i].content, two[i].key.kind == Kind::kDeployment);
}

TEST(JobFileTest, ReadsBackAsAValidJobOfTheSameWork) {
  const api::JobDocument document = api::ParseJob(JobFile(FullJob()));
  EXPECT_FALSE(api::HasErrors(document.diagnostics)) << document.diagnostics.front().message;
  EXPECT_EQ(document.job.spec.sources.size(), 1u);
  EXPECT_EQ(document.job.spec.batch_interval, std::chrono::milliseconds(500));
}

TEST(JobFileTest, KeysOfConfigMapsBecomeMountedPaths) {
  EXPECT_THAT(JobFile(FullJob()), HasSubstr("/etc/millrace/config/limits/limits.csv"));
  EXPECT_THAT(JobFile(FullJob()), Not(HasSubstr("configMapKeyRef")));
}

TEST(JobFileTest, StaysTheSameWhenOnlyTheOperatorIsConcerned) {
  const std::string before = JobFile(SmallJob());
  api::StreamingJob job = SmallJob();
  job.metadata.labels["a"] = "b";
  job.spec.workers = 7;
  job.spec.suspend = true;
  job.spec.resources.requests["cpu"] = "4";
  job.spec.deletion.drain = false;
  EXPECT_EQ(JobFile(job), before);
  job.spec.batch_interval = std::chrono::seconds(2);
  EXPECT_NE(JobFile(job), before);
}

TEST(JobFileTest, CarriesTheNumberOfItsRollout) {
  api::StreamingJob job = SmallJob();
  job.metadata.generation = 9;
  EXPECT_THAT(JobFile(job), HasSubstr(R"("generation":9)"));
}

TEST(RevisionTest, NamesWhatPodsAreReplacedForAndNothingElse) {
  const std::string before = RevisionOf(SmallJob().spec);
  api::StreamingJob job = SmallJob();
  job.spec.workers = 7;
  job.spec.suspend = true;
  job.spec.batch_interval = std::chrono::seconds(2);
  EXPECT_EQ(RevisionOf(job.spec), before) << "the pods stay";
  job.spec.on_error = api::ErrorPolicy::kSkip;
  EXPECT_NE(RevisionOf(job.spec), before);
  job = SmallJob();
  job.spec.image = "millrace:broken";
  EXPECT_NE(RevisionOf(job.spec), before);
}

TEST(RevisionTest, ReturnsToTheFieldsOfASnapshotAndKeepsTheOthersAsAsked) {
  api::StreamingJobSpec asked = SmallJob().spec;
  const api::StreamingJobSpec good = SnapshotOf(asked);
  EXPECT_EQ(RevisionOf(good), RevisionOf(asked));
  asked.image = "millrace:broken";
  asked.workers = 7;
  asked.batch_interval = std::chrono::seconds(2);
  const api::StreamingJobSpec returned = Returned(good, asked);
  EXPECT_EQ(returned.image, SmallJob().spec.image);
  EXPECT_EQ(returned.workers, 7);
  EXPECT_EQ(returned.batch_interval, std::chrono::seconds(2));
}

TEST(RevisionTest, TheObjectKeptForAJobDoesNotMoveWithHotEdits) {
  api::StreamingJob job = SmallJob();
  const Object before = BuildRevision(job, "r");
  job.spec.batch_interval = std::chrono::seconds(2);
  job.spec.workers = 7;
  EXPECT_EQ(BuildRevision(job, "r").json, before.json);
}

TEST(ChildNameTest, LongNamesStayDistinctAndWithin63) {
  const std::string a = ChildName(std::string(63, 'a'), "workers");
  const std::string b = ChildName(std::string(62, 'a') + "b", "workers");
  EXPECT_EQ(a.size(), 63u);
  EXPECT_NE(a, b);
  EXPECT_EQ(ChildName("word-count", "workers"), "word-count-workers");
}

}  // namespace
}  // namespace millrace::controller
