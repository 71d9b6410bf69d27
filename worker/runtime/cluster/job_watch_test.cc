#include "worker/runtime/cluster/job_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace millrace::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string Yaml(const std::string& interval, const std::string& key,
                 const std::string& more = "") {
  return "apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\n"
         "metadata: {name: sums}\nspec:\n  batchInterval: " +
         interval + "\n" + more +
         "  sources: [{name: seqs, generator: {fields: {k: seq, l: seq}, rate: 1}}]\n"
         "  streams:\n    - name: sums\n      from: seqs\n      steps:\n"
         "        - aggregate: {key: [" +
         key +
         "], window: {global: {}}, values: {hits: count()}}\n"
         "  sinks: [{name: out, from: sums, console: {}}]\n";
}

class JobWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    Write("job.yaml", Yaml("1s", "k"));
    JobFileError error;
    ASSERT_TRUE(LoadJobFile(request_, &file_, &error)) << error.lines.front();
    edits_.emplace(*file_.job, "hash");
    watch_.emplace(
        request_, [](const api::StreamingJobSpec&) { return OkStatus(); }, &*edits_, &clock_,
        [this](const api::StreamingJobSpec& spec) { taken_.push_back(spec); });
    watch_->Look();
  }

  // Under another name first, so that every version is another file.
  void Write(const std::string& name, const std::string& text) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path + ".new") << text;
    std::filesystem::rename(path + ".new", path);
  }
  void Edit(const std::string& text) {
    Write("job.yaml", text);
    watch_->Look();
  }

  const std::string folder_ = ::testing::TempDir() + "/job-watch";
  const JobFileRequest request_{folder_ + "/job.yaml", {}, "", false};
  SystemClock clock_;
  JobFile file_;
  std::optional<JobEdits> edits_;
  std::optional<JobWatch> watch_;
  std::vector<api::StreamingJobSpec> taken_;
};

TEST_F(JobWatchTest, HandsOnHotFieldsOnce) {
  EXPECT_THAT(taken_, IsEmpty());
  Edit(Yaml("3s", "k"));
  watch_->Look();
  ASSERT_EQ(taken_.size(), 1u);
  EXPECT_EQ(taken_[0].batch_interval, std::chrono::seconds(3));
  EXPECT_THAT(edits_->Json(), HasSubstr(R"("specHash":"hash","appliedAt":")"));
  EXPECT_THAT(edits_->Json(), HasSubstr(R"("applied":["batchInterval"]})"));
  Edit(Yaml("1s", "k"));
  EXPECT_EQ(taken_.size(), 2u) << "going back is an edit";
}

TEST_F(JobWatchTest, TakesNothingOfAnEditWithOtherFields) {
  Edit(Yaml("3s", "l"));
  EXPECT_THAT(taken_, IsEmpty());
  EXPECT_THAT(edits_->Json(), HasSubstr(R"("needsRestart":["streams"]})"));
  Edit(Yaml("1s", "k"));
  EXPECT_THAT(taken_, IsEmpty());
  EXPECT_THAT(edits_->Json(), Not(HasSubstr("needsRestart")));
}

TEST_F(JobWatchTest, GoesOnWithTheFormerFileWhenTheNewOneIsBroken) {
  Edit(Yaml("3s", "no such field"));
  Edit("spec: [");
  EXPECT_THAT(edits_->Json(), HasSubstr(R"("error":")"));
  std::filesystem::remove(folder_ + "/job.yaml");
  watch_->Look();
  EXPECT_THAT(taken_, IsEmpty());
  Edit(Yaml("2s", "k"));
  EXPECT_EQ(taken_.size(), 1u);
  EXPECT_THAT(edits_->Json(), Not(HasSubstr("error")));
}

TEST_F(JobWatchTest, TheNumberOfWorkersIsNotItsBusiness) {
  Edit(Yaml("1s", "k", "  workers: 7\n"));
  EXPECT_THAT(taken_, IsEmpty());
  EXPECT_EQ(edits_->Json(), R"({"specHash":"hash"})");
}

TEST_F(JobWatchTest, SeesTheSwapOfAMountedConfigMap) {
  namespace fs = std::filesystem;
  const std::string mount = folder_ + "/mount";
  for (const char* version : {"..1", "..2"}) fs::create_directories(mount + "/" + version);
  std::ofstream(mount + "/..1/job.yaml") << Yaml("1s", "k");
  std::ofstream(mount + "/..2/job.yaml") << Yaml("5s", "k");
  fs::create_symlink("..1", mount + "/..data");
  fs::create_symlink("..data/job.yaml", mount + "/job.yaml");
  JobFileRequest request = request_;
  request.path = mount + "/job.yaml";
  JobWatch watch(
      request, [](const api::StreamingJobSpec&) { return OkStatus(); }, &*edits_, &clock_,
      [this](const api::StreamingJobSpec& spec) { taken_.push_back(spec); });
  watch.Look();
  EXPECT_THAT(taken_, IsEmpty());
  fs::create_symlink("..2", mount + "/..data_tmp");
  fs::rename(mount + "/..data_tmp", mount + "/..data");
  watch.Look();
  ASSERT_EQ(taken_.size(), 1u);
  EXPECT_EQ(taken_[0].batch_interval, std::chrono::seconds(5));
}

}  // namespace
}  // namespace millrace::worker
