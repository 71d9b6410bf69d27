#include "worker/sink/http/http_sink.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <set>

#include "worker/client/loopback_server.h"
#include "worker/sink/word_rows.h"

namespace millrace::worker {
namespace {

using ::testing::HasSubstr;

const SinkBatch kBatch{3, TimePoint(), "1-a", "d"};

class HttpSinkTest : public ::testing::Test {
 protected:
  std::unique_ptr<HttpSink> Make(const LoopbackServer& server, int64_t rows_per_request = 1,
                                 const api::Format& format = api::JsonFormat{}) {
    const Projection projection(*WordSchema(), std::nullopt);
    HttpSinkOptions options;
    options.job_id = "job";
    options.name = "out";
    options.rows_per_request = rows_per_request;
    options.clock = &clock_;
    options.stop = stop_.get_token();
    options.headers = {{"X-Team", "data"}};
    HttpClientOptions client;
    client.timeout = std::chrono::milliseconds(500);
    return std::make_unique<HttpSink>(options, projection,
                                      *MakeEncoder(format, projection.schema()),
                                      *HttpClient::Create(server.Url("/in"), client));
  }
  Status Deliver(HttpSink& sink, const std::vector<WordRow>& rows) {
    return sink.Deliver(kBatch, {WordPart("s", 0, rows)}, &rejected_);
  }

  ManualClock clock_{TimePoint(std::chrono::seconds(1'717'200'000))};
  std::stop_source stop_;
  std::vector<RejectedRow> rejected_;
};

void Accept(const httplib::Request&, httplib::Response& response) { response.status = 204; }

TEST_F(HttpSinkTest, SendsEachRowWithItsOwnKey) {
  LoopbackServer server(Accept);
  const auto sink = Make(server);
  ASSERT_TRUE(Deliver(*sink, {{"a", 1}, {"gone", 0, true}, {"b", 2}}).ok());
  const std::vector<LoopbackServer::Seen> seen = server.seen();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].body, "{\"word\":\"a\",\"count\":1}");
  EXPECT_EQ(seen[0].method, "POST");
  EXPECT_EQ(seen[0].Header("X-Team"), "data");
  EXPECT_EQ(seen[0].Header("Idempotency-Key").size(), 32u);
  EXPECT_NE(seen[0].Header("Idempotency-Key"), seen[1].Header("Idempotency-Key"));
}

TEST_F(HttpSinkTest, GroupsRowsOfAPart) {
  LoopbackServer server(Accept);
  const auto sink = Make(server, 2, api::CsvFormat{.header = true});
  ASSERT_TRUE(Deliver(*sink, {{"a", 1}, {"b", 2}, {"c", 3}}).ok());
  ASSERT_EQ(server.seen().size(), 2u);
  EXPECT_EQ(server.seen()[0].body, "word,count\na,1\nb,2\n");
  EXPECT_EQ(server.seen()[1].body, "word,count\nc,3\n");
}

TEST_F(HttpSinkTest, AnotherProcessRepeatsTheSameKeys) {
  LoopbackServer server(Accept);
  ASSERT_TRUE(Deliver(*Make(server), {{"a", 1}, {"b", 2}}).ok());
  ASSERT_TRUE(Deliver(*Make(server), {{"a", 1}, {"b", 2}}).ok());
  std::multiset<std::string> keys;
  for (const auto& seen : server.seen()) keys.insert(seen.Header("Idempotency-Key"));
  EXPECT_EQ(keys.size(), 4u);
  for (const std::string& key : keys) EXPECT_EQ(keys.count(key), 2u);
}

TEST_F(HttpSinkTest, SameProcessSendsOnlyWhatIsMissing) {
  std::atomic<bool> broken = true;
  LoopbackServer server([&broken](const httplib::Request& request, httplib::Response& response) {
    response.status = broken && request.body.find("\"b\"") != std::string::npos ? 503 : 200;
  });
  const auto sink = Make(server);
  const Status status = Deliver(*sink, {{"a", 1}, {"b", 2}});
  EXPECT_EQ(status.code(), StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), HasSubstr("503"));
  EXPECT_EQ(server.seen().size(), 6u) << "a once, b five times";
  broken = false;
  ASSERT_TRUE(Deliver(*sink, {{"a", 1}, {"b", 2}}).ok());
  EXPECT_EQ(server.seen().size(), 7u);
}

TEST_F(HttpSinkTest, WaitsAsLongAsItIsAsked) {
  std::atomic<int> calls = 0;
  LoopbackServer server([&calls](const httplib::Request&, httplib::Response& response) {
    response.status = ++calls == 1 ? 429 : 200;
    response.set_header("Retry-After", "12");
  });
  const MonotonicTime before = clock_.Monotonic();
  ASSERT_TRUE(Deliver(*Make(server), {{"a", 1}}).ok());
  EXPECT_EQ(clock_.Monotonic() - before, std::chrono::seconds(12));
}

TEST_F(HttpSinkTest, RejectedRowsCarryTheAnswer) {
  LoopbackServer server([](const httplib::Request& request, httplib::Response& response) {
    response.status = request.body.find("\"bad\"") == std::string::npos ? 200 : 422;
    response.set_content("no such word " + std::string(500, 'x'), "text/plain");
  });
  const auto sink = Make(server);
  for (int i = 0; i < 2; ++i) {
    rejected_.clear();
    ASSERT_TRUE(Deliver(*sink, {{"a", 1}, {"bad", 2}}).ok());
    ASSERT_EQ(rejected_.size(), 1u) << "also when the delivery is repeated";
    EXPECT_EQ(rejected_[0].reason, "Rejected");
    EXPECT_THAT(rejected_[0].message, HasSubstr("422: no such word"));
    EXPECT_LT(rejected_[0].message.size(), 300u);
    EXPECT_THAT(rejected_[0].value, HasSubstr("\"bad\""));
  }
  EXPECT_EQ(server.seen().size(), 2u);
}

TEST_F(HttpSinkTest, StopEndsTheWait) {
  LoopbackServer server(
      [](const httplib::Request&, httplib::Response& response) { response.status = 500; });
  stop_.request_stop();
  EXPECT_EQ(Deliver(*Make(server), {{"a", 1}}).code(), StatusCode::kAborted);
  EXPECT_EQ(server.seen().size(), 1u);
}

TEST(RetryTest, SortsAnswers) {
  const std::pair<int, HttpOutcome> cases[] = {
      {200, HttpOutcome::kDelivered}, {204, HttpOutcome::kDelivered},
      {299, HttpOutcome::kDelivered}, {301, HttpOutcome::kRejected},
      {400, HttpOutcome::kRejected},  {401, HttpOutcome::kRejected},
      {408, HttpOutcome::kRetry},     {425, HttpOutcome::kRetry},
      {429, HttpOutcome::kRetry},     {500, HttpOutcome::kRetry},
      {503, HttpOutcome::kRetry}};
  for (const auto& [status, want] : cases) EXPECT_EQ(OutcomeOf(status), want) << status;
}

TEST(RetryTest, ReadsRetryAfter) {
  const TimePoint now(std::chrono::seconds(1'717'200'000));  // Sat, 01 Jun 2024 00:00:00 GMT
  const std::pair<std::string, std::optional<int>> cases[] = {{"7", 7},
                                                              {" 0 ", 0},
                                                              {"Sat, 01 Jun 2024 00:00:30 GMT", 30},
                                                              {"Fri, 31 May 2024 00:00:00 GMT", 0},
                                                              {"-1", {}},
                                                              {"soon", {}},
                                                              {"", {}},
                                                              {"99999999999", {}}};
  for (const auto& [text, want] : cases) {
    HttpResponse response;
    response.headers["retry-after"] = text;
    const std::optional<Duration> wait = RetryAfter(response, now);
    ASSERT_EQ(wait.has_value(), want.has_value()) << text;
    if (want) {
      EXPECT_EQ(*wait, std::chrono::seconds(*want)) << text;
    }
  }
  EXPECT_FALSE(RetryAfter({}, now).has_value());
}

TEST(RetryTest, WaitsGrowWithJitterUpToTheCap) {
  const BackoffPolicy policy;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    for (int attempt = 0; attempt < 10; ++attempt) {
      const Duration full = std::min(policy.cap, policy.base * (1 << attempt));
      const Duration wait = policy.Wait(attempt, seed, {});
      EXPECT_GE(wait, full / 2);
      EXPECT_LE(wait, full);
    }
  }
  EXPECT_EQ(policy.Wait(0, 1, std::chrono::hours(1)), policy.retry_after_cap);
}

}  // namespace
}  // namespace millrace::worker
