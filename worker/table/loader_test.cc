#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "worker/client/loopback_server.h"
#include "worker/table/table.h"

namespace millrace::worker {
namespace {

using ::testing::HasSubstr;

api::Table TableOf(api::TableKind kind, api::Format format, std::vector<std::string> key) {
  api::Table table;
  table.name = "people";
  table.kind = std::move(kind);
  table.format = std::move(format);
  table.key = std::move(key);
  return table;
}

api::CsvFormat People() {
  api::CsvFormat csv;
  csv.schema = api::SchemaMap{{"id", "int"}, {"name", "string"}};
  csv.header = true;
  return csv;
}

class TableLoaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/table-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    path_ = directory_ + "/people.csv";
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void Write(const std::string& text) { std::ofstream(path_, std::ios::binary) << text; }
  Result<std::unique_ptr<TableLoader>> Loader(api::Format format = People(),
                                              std::vector<std::string> key = {"id"}) {
    return MakeTableLoader(TableOf(api::FileTable{{path_, {}}}, std::move(format), std::move(key)),
                           {});
  }
  std::string directory_, path_;
};

TEST_F(TableLoaderTest, ReadsFilesAndVersionsThemByContent) {
  Write("\xef\xbb\xbfid,name\r\n1,ann\r\n2,\"bob\nby\"\r\n");
  const auto loader = Loader();
  ASSERT_TRUE(loader.ok()) << loader.status();
  const Result<TableVersionRef> first = (*loader)->Load();
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ((*first)->rows().num_rows(), 2u);
  EXPECT_EQ((*first)->version().size(), 64u);
  EXPECT_EQ(*(*loader)->Load(), *first) << "nothing changed";
  Write("id,name\n3,cy\n");
  EXPECT_NE((*(*loader)->Load())->version(), (*first)->version());
}

TEST_F(TableLoaderTest, ReadsJsonAndText) {
  Write("{\"id\": 1}\n\n{\"id\": 2}");
  api::JsonFormat json;
  json.schema = api::SchemaMap{{"id", "int"}};
  EXPECT_EQ((*(*Loader(json))->Load())->rows().num_rows(), 2u);
  Write("a\nb\n");
  EXPECT_EQ((*(*Loader(api::TextFormat{}, {"value"}))->Load())->rows().num_rows(), 2u);
}

TEST_F(TableLoaderTest, NamesWhatIsWrongWithTheContent) {
  const std::pair<std::string, std::string> cases[] = {
      {"id,name\n1,ann\nx,bob\n", "people.csv:3: "},
      {"id,name\n1,\"a\nb\"\nx,bob\n", "people.csv:4: "},
      {"", "csv header"},
      {"name\nann\n", "id"},
      {"id,name\n7,ann\n7,bob\n", "7"},
  };
  for (const auto& [text, want] : cases) {
    Write(text);
    const Status status = (*Loader())->Load().status();
    EXPECT_EQ(status.code(), StatusCode::kInvalid) << text;
    EXPECT_THAT(status.message(), HasSubstr(want)) << text;
    EXPECT_THAT(status.message(), HasSubstr("people.csv")) << text;
  }
}

TEST_F(TableLoaderTest, CountsRows) {
  Write("id,name\n1,a\n2,b\n3,c\n");
  api::Table table = TableOf(api::FileTable{{path_, {}}}, People(), {"id"});
  table.max_rows = 2;
  EXPECT_FALSE((*MakeTableLoader(table, {}))->Load().ok());
  table.max_rows = 3;
  EXPECT_TRUE((*MakeTableLoader(table, {}))->Load().ok());
}

TEST_F(TableLoaderTest, ReadsRegularFilesOnly) {
  EXPECT_EQ((*Loader())->Load().status().code(), StatusCode::kNotFound);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THAT((*Loader())->Load().status().message(), HasSubstr("not a regular file"));
}

TEST(MakeTableLoaderTest, RefusesWhatCannotBeLoadedHere) {
  const std::pair<api::TableKind, std::string> cases[] = {
      {api::FileTable{{"/a/../b", {}}}, "\"..\""},
      {api::FileTable{{{}, api::ConfigMapKeyRef{"a", "b"}}},
       "configMapKeyRef needs a cluster; use path for local runs"},
      {api::HttpTable{.url = "file:///etc/passwd"}, "http://"},
      {api::SqlTable{}, "not supported yet"},
  };
  for (const auto& [kind, want] : cases) {
    const Status status = MakeTableLoader(TableOf(kind, People(), {"id"}), {}).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalid);
    EXPECT_THAT(status.message(), HasSubstr(want));
  }
}

TEST(TableSchemaTest, ChecksTheKey) {
  api::JsonFormat json;
  json.schema = api::SchemaMap{{"id", "int"}, {"tags", "list<string>"}};
  const std::pair<std::vector<std::string>, std::string> cases[] = {
      {{"ids"}, "t.key[0]: no field \"ids\" in this table; it has: id, tags. Did you mean \"id\"?"},
      {{"id", "id"}, "t.key[1]: field \"id\" is listed twice"},
      {{"tags"}, "t.key[0]: field \"tags\" is list<string>"},
      {{}, "t.key: is empty"},
  };
  for (const auto& [key, want] : cases) {
    api::Diagnostics diagnostics;
    const Result<Schema> schema =
        TableSchema(TableOf(api::FileTable{{"/x", {}}}, json, key), &diagnostics, "t");
    ASSERT_FALSE(schema.ok()) << want;
    ASSERT_EQ(diagnostics.size(), 1u);
    EXPECT_THAT(schema.status().message(), HasSubstr(want));
  }
}

TEST(HttpTableTest, GetsTheTableAndSaysWhatCameInstead) {
  std::string body = "id,name\n1,ann\n";
  int status = 200;
  LoopbackServer server([&](const httplib::Request&, httplib::Response& response) {
    response.status = status;
    response.set_content(body, "text/csv");
  });
  const auto loader = MakeTableLoader(
      TableOf(api::HttpTable{.url = server.Url("/t?key=hidden")}, People(), {"id"}), {});
  ASSERT_TRUE(loader.ok()) << loader.status();
  EXPECT_EQ((*(*loader)->Load())->rows().num_rows(), 1u);
  status = 503;
  EXPECT_EQ((*loader)->Load().status().code(), StatusCode::kUnavailable);
  status = 404;
  const Status missing = (*loader)->Load().status();
  EXPECT_EQ(missing.code(), StatusCode::kInvalid);
  EXPECT_THAT(missing.message(), HasSubstr("/t answers 404"));
  EXPECT_THAT(missing.message(), testing::Not(HasSubstr("hidden")));
}

}  // namespace
}  // namespace millrace::worker
