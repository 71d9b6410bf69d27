#include "worker/sink/factory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "worker/client/loopback_server.h"
#include "worker/sink/word_rows.h"

namespace millrace::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

api::Sink SinkOf(api::SinkKind kind,
                 std::optional<api::Format> format = api::Format(api::JsonFormat{})) {
  api::Sink sink;
  sink.name = "out";
  sink.from = "counts";
  sink.kind = std::move(kind);
  sink.format = std::move(format);
  return sink;
}

// "path: message" of each problem.
std::vector<std::string> Problems(const api::Sink& sink, bool updating = false) {
  api::Diagnostics diagnostics;
  CheckSink(sink, *WordSchema(), updating, &diagnostics, "s");
  std::vector<std::string> result;
  for (const api::Diagnostic& diagnostic : diagnostics)
    result.push_back(diagnostic.path + ": " + diagnostic.message);
  return result;
}

TEST(CheckSinkTest, AcceptsGoodSinks) {
  EXPECT_THAT(Problems(SinkOf(api::ConsoleSink{}, std::nullopt), true), IsEmpty());
  EXPECT_THAT(Problems(SinkOf(api::FileSink{"/x", "word + \"/\" + string(count)"}), true),
              IsEmpty());
  EXPECT_THAT(Problems(SinkOf(api::HttpSink{.url = "http://host/in"})), IsEmpty());
}

TEST(CheckSinkTest, ChecksFields) {
  api::Sink sink = SinkOf(api::ConsoleSink{}, std::nullopt);
  sink.fields = {"word", "cuont", "word", "__deleted"};
  EXPECT_THAT(Problems(sink),
              ElementsAre(testing::AllOf(HasSubstr("s.fields[1]: no field \"cuont\""),
                                         HasSubstr("it has: word, count"),
                                         HasSubstr("Did you mean \"count\"?")),
                          HasSubstr("s.fields[2]: field \"word\" is listed twice"),
                          HasSubstr("s.fields[3]: field \"__deleted\" is hidden")));
  sink.fields = std::vector<std::string>{};
  EXPECT_THAT(Problems(sink), ElementsAre(HasSubstr("s.fields: is empty")));
}

TEST(CheckSinkTest, ChecksKinds) {
  api::HttpSink with_tls{.url = "http://host/"};
  with_tls.tls.emplace();
  const api::HttpSink with_headers{.url = "http://host/",
                                   .headers = {{"Authorization", "x"}, {"host", "x"}}};
  struct Case {
    api::Sink sink;
    std::string want;
  };
  const Case cases[] = {
      {SinkOf(api::KafkaSink{.topic = "t", .key_expr = "count"}),
       "s.kafka.keyExpr: must be string or bytes, but this is int; string(x) makes text of it"},
      {SinkOf(api::KafkaSink{.topic_expr = "wrod"}), "s.kafka.topicExpr: "},
      {SinkOf(api::KafkaSink{.topic = "t", .timestamp_expr = "count"}), "s.kafka.timestampExpr: "},
      {SinkOf(api::KafkaSink{.topic = "t", .partition_expr = "word"}), "s.kafka.partitionExpr: "},
      {SinkOf(api::KafkaSink{.topic = "t", .delete_when = "count"}), "s.kafka.deleteWhen: "},
      {SinkOf(api::KafkaSink{.topic = "t", .properties = {{"batch.size", "big"}}}),
       "s.kafka.properties.batch.size: must be a number"},
      {SinkOf(api::KafkaSink{.topic = "t", .transaction_timeout = std::chrono::milliseconds(500)}),
       "s.kafka.transactionTimeout: must be at least 1s"},
      {SinkOf(api::RedisSink{.key_expr = "count"}), "s.redis.keyExpr: must be string or bytes"},
      {SinkOf(api::RedisSink{.key_expr = "word", .delete_when = "count"}),
       "s.redis.deleteWhen: must be bool"},
      {SinkOf(api::RedisSink{.key_expr = "word", .score_expr = "word"}),
       "s.redis.scoreExpr: must be double or int or uint"},
      {SinkOf(api::RedisSink{.key_expr = "word"}), "s.format: the types Hash and Stream"},
      {SinkOf(api::RedisSink{
           .key_expr = "word", .type = api::RedisSink::Type::kList, .value_expr = "word"}),
       "s.format: the valueExpr says"},
      {SinkOf(api::SqlSink{}), "s.sql: sql"},
      {SinkOf(api::ElasticsearchSink{}), "s.elasticsearch: elasticsearch"},
      {SinkOf(api::FileSink{"/x"}, std::nullopt), "s.format: is required"},
      {SinkOf(api::FileSink{""}), "s.file.path: is empty"},
      {SinkOf(api::FileSink{"/x", std::nullopt, api::Compression::kLz4}), "s.file.compression"},
      {SinkOf(api::FileSink{"/x", "count"}), "s.file.pathExpr: "},
      {SinkOf(api::FileSink{"/x", "wrod"}), "s.file.pathExpr: "},
      {SinkOf(api::FileSink{"/x"}, api::Format(api::TextFormat{})), "s.format: "},
      {SinkOf(api::HttpSink{.url = "file:///x"}), "s.http.url: URL must begin"},
      {SinkOf(with_tls), "s.http.tls: "},
      {SinkOf(with_headers), "s.http.headers.Authorization: "},
      {SinkOf(with_headers), "s.http.headers.host: "},
  };
  for (const Case& c : cases)
    EXPECT_THAT(Problems(c.sink), testing::Contains(HasSubstr(c.want))) << c.want;
  EXPECT_THAT(Problems(SinkOf(api::HttpSink{.url = "http://host/"}), true),
              ElementsAre(HasSubstr("s.http: an updating stream")));
}

TEST(CheckSinkTest, RefusesPromisesThatAKindCannotKeep) {
  api::Sink sink = SinkOf(api::ConsoleSink{}, std::nullopt);
  sink.delivery = api::Delivery::kExactlyOnce;
  EXPECT_THAT(Problems(sink), ElementsAre(HasSubstr("s.delivery: a console cannot")));
}

TEST(SinkUsesTest, NamesFieldsAndThoseOfExpressions) {
  api::Sink sink = SinkOf(api::FileSink{"/x", "word"});
  sink.fields = {"count"};
  EXPECT_THAT(SinkUses(sink, *WordSchema()), ElementsAre("__deleted", "count", "word"));
  sink.kind = api::FileSink{"/x"};
  EXPECT_THAT(SinkUses(sink, *WordSchema()), ElementsAre("__deleted", "count"));
}

TEST(MakeSinkTest, BuildsEachKindAndReadsSecrets) {
  std::string directory = ::testing::TempDir() + "/sinks-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  std::filesystem::create_directories(directory + "/hook");
  std::ofstream(directory + "/hook/token") << "abc\n";
  LoopbackServer server(
      [](const httplib::Request&, httplib::Response& response) { response.status = 200; });
  SystemClock clock;
  SinkOptions options;
  options.secrets_directory = directory;
  options.schema = WordSchema();
  options.source_stream = "counts";
  options.clock = &clock;
  EXPECT_TRUE(MakeSink(SinkOf(api::ConsoleSink{}, std::nullopt), options).ok());
  EXPECT_TRUE(MakeSink(SinkOf(api::FileSink{directory + "/out", "word"}), options).ok());
  EXPECT_FALSE(MakeSink(SinkOf(api::RedisSink{}), options).ok());
  api::HttpSink http{.url = server.Url("/")};
  http.auth = api::Auth{"hook", std::nullopt};
  const auto sink = MakeSink(SinkOf(http), options);
  ASSERT_TRUE(sink.ok()) << sink.status();
  std::vector<RejectedRow> rejected;
  EXPECT_TRUE(
      (*sink)->Deliver({1, TimePoint(), "g", "d"}, {WordPart("s", 0, {{"a", 1}})}, &rejected).ok());
  EXPECT_EQ(server.seen().at(0).Header("Authorization"), "Bearer abc");
  EXPECT_EQ(server.seen().at(0).Header("Content-Type"), "application/json");
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace millrace::worker
