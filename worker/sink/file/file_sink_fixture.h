#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <stop_token>
#include <string>
#include <vector>

#include "worker/sink/file/file_sink.h"
#include "worker/sink/word_rows.h"

namespace millrace::worker {

inline const std::string kDigest(64, 'a');
inline const std::string kOtherDigest(64, 'b');

inline std::string ReadAll(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// A sink of stream "counts".
inline std::unique_ptr<FileSink> MakeFileSink(const std::string& path,
                                              const api::Format& format = api::JsonFormat{},
                                              const std::string& path_expr = "",
                                              Codec codec = Codec::kNone,
                                              std::stop_token stop = {}) {
  const Projection projection(*WordSchema(), std::nullopt);
  static ManualClock clock{TimePoint()};
  FileSinkOptions options{path, "counts", codec, nullptr, &clock, stop};
  if (!path_expr.empty()) {
    std::vector<ExprError> errors;
    Result<ProgramRef> program = Program::Compile(path_expr, {*WordSchema(), {}}, &errors);
    EXPECT_TRUE(program.ok()) << program.status();
    options.path_expr = *program;
  }
  Result<std::unique_ptr<Encoder>> encoder = MakeEncoder(format, projection.schema());
  EXPECT_TRUE(encoder.ok()) << encoder.status();
  return std::make_unique<FileSink>(options, projection, std::move(encoder).value());
}

inline SinkBatch BatchOf(int64_t batch, const std::string& digest = kDigest) {
  return {batch, TimePoint(), "1-a", digest};
}

// A folder for a sink, and what readers see of it.
class FileSinkFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/file-sink-XXXXXX";
    root_ = mkdtemp(pattern.data());
    path_ = root_ + "/out/words";
  }
  void TearDown() override { std::filesystem::remove_all(root_); }

  // What a reader sees: content of each file by its path below `path_`.
  std::map<std::string, std::string> Visible() const {
    std::map<std::string, std::string> files;
    for (auto it = std::filesystem::recursive_directory_iterator(path_);
         it != std::filesystem::recursive_directory_iterator(); ++it) {
      const std::string name = it->path().filename();
      if (name.starts_with('_') || name.starts_with('.')) {
        if (it->is_directory()) it.disable_recursion_pending();
      } else if (it->is_regular_file()) {
        files[std::filesystem::relative(it->path(), path_)] = ReadAll(it->path());
      }
    }
    return files;
  }
  std::string Committed() const { return ReadAll(path_ + "/_committed"); }
  Status DeliverWords(FileSink& sink, int64_t batch, const std::string& digest = kDigest) {
    return sink.Deliver(
        BatchOf(batch, digest),
        {WordPart("s.count", 0, {{"a", batch}}), WordPart("s.count", 1, {{"b", batch}})},
        &rejected_);
  }

  std::string root_, path_;
  std::vector<RejectedRow> rejected_;
};

}  // namespace millrace::worker
