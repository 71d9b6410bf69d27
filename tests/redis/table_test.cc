#include "worker/table/table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/redis/redis_server.h"
#include "worker/client/redis/redis.h"

namespace millrace::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

api::Table TableOf(const std::string& address, api::SchemaMap schema,
                   std::vector<std::string> key = {"id"}) {
  api::RedisTable redis;
  redis.address = address;
  redis.hash = "people";
  redis.schema = std::move(schema);
  api::Table table;
  table.name = "people";
  table.kind = std::move(redis);
  table.key = std::move(key);
  return table;
}

class RedisTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!RedisServer::Installed()) GTEST_SKIP() << "redis-server is not installed";
    server_ = std::make_unique<RedisServer>();
    RedisSettings settings;
    settings.addresses = {server_->address()};
    client_ = *RedisClient::Create(settings, &clock_);
  }
  void Put(std::string_view field, std::string_view value) {
    ASSERT_TRUE(client_->Run({"people", {"HSET", "people", field, value}}, {}).ok());
  }
  Result<std::unique_ptr<TableLoader>> Loader(api::SchemaMap schema) {
    TableLoaderOptions options;
    options.clock = &clock_;
    return MakeTableLoader(TableOf(server_->address(), std::move(schema)), options);
  }
  std::string Problem(api::SchemaMap schema) {
    const auto loader = Loader(std::move(schema));
    return loader.ok() ? (*loader)->Load().status().ToString() : loader.status().ToString();
  }
  static std::vector<std::string> Rows(const TableVersionRef& version) {
    std::vector<std::string> rows;
    for (size_t i = 0; i < version->rows().num_rows(); ++i) {
      rows.push_back(RowToJson(version->rows(), i));
    }
    return rows;
  }

  SystemClock clock_;
  std::unique_ptr<RedisServer> server_;
  std::unique_ptr<RedisClient> client_;
};

TEST_F(RedisTableTest, ReadsKeysAndOneValue) {
  Put("2", "bob");
  Put("1", "ann");
  const auto loader = Loader({{"id", "int"}, {"name", "string"}});
  ASSERT_TRUE(loader.ok()) << loader.status();
  const auto version = (*loader)->Load();
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_THAT(Rows(*version), ElementsAre(R"({"id":1,"name":"ann"})", R"({"id":2,"name":"bob"})"));
}

TEST_F(RedisTableTest, ReadsSeveralColumnsFromObjects) {
  Put("1", R"({"name": "ann", "tags": ["x"]})");
  Put("2", R"({"name": "bob", "tags": []})");
  const auto loader = Loader({{"id", "int"}, {"name", "string"}, {"tags", "list<string>"}});
  const auto version = (*loader)->Load();
  ASSERT_TRUE(version.ok()) << version.status();
  EXPECT_THAT(Rows(*version), ElementsAre(R"({"id":1,"name":"ann","tags":["x"]})",
                                          R"({"id":2,"name":"bob","tags":[]})"));
}

TEST_F(RedisTableTest, GivesEqualContentOneVersion) {
  Put("1", "ann");
  const auto loader = Loader({{"id", "int"}, {"name", "string"}});
  const TableVersionRef first = *(*loader)->Load();
  EXPECT_EQ(*(*loader)->Load(), first);
  Put("1", "eve");
  EXPECT_NE((*(*loader)->Load())->version(), first->version());
  server_->Kill();
  EXPECT_EQ((*loader)->Load().status().code(), StatusCode::kUnavailable);
}

TEST_F(RedisTableTest, NamesWhatCannotBeRead) {
  EXPECT_THAT(Problem({{"id", "int"}, {"name", "string"}}), HasSubstr("there is no such hash"));
  Put("one", "1");
  EXPECT_THAT(Problem({{"id", "int"}, {"n", "int"}}), HasSubstr("field of \"one\""));
  EXPECT_THAT(Problem({{"id", "string"}, {"n", "bool"}}), HasSubstr("value of \"one\""));
  EXPECT_THAT(Problem({{"id", "string"}, {"a", "int"}, {"b", "int"}}),
              HasSubstr("value of \"one\""));
  ASSERT_TRUE(client_->Run({"people", {"SET", "people", "x"}}, {}).ok());
  EXPECT_THAT(Problem({{"id", "string"}, {"n", "bool"}}), HasSubstr("WRONGTYPE"));
}

TEST_F(RedisTableTest, RefusesMoreRowsThanMaxRows) {
  for (const char* field : {"1", "2", "3"}) Put(field, "x");
  TableLoaderOptions options;
  options.clock = &clock_;
  api::Table table = TableOf(server_->address(), {{"id", "int"}, {"name", "string"}});
  table.max_rows = 2;
  const auto loader = MakeTableLoader(table, options);
  EXPECT_THAT((*loader)->Load().status().message(), HasSubstr("more than maxRows (2)"));
}

TEST(RedisTableSchemaTest, RefusesKeysOfSeveralFieldsAndWrongTypes) {
  api::Diagnostics problems;
  EXPECT_FALSE(
      TableSchema(TableOf("h:1", {{"a", "int"}, {"b", "int"}}, {"a", "b"}), &problems, "t").ok());
  EXPECT_EQ(problems.front().path, "t.key");
  problems.clear();
  EXPECT_FALSE(TableSchema(TableOf("h:1", {{"id", "nit"}}), &problems, "t").ok());
  EXPECT_EQ(problems.front().path, "t.redis.schema.id");
}

}  // namespace
}  // namespace millrace::worker
