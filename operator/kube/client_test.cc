#include "operator/kube/client.h"

#include <gmock/gmock.h>

#include <cstdio>
#include <fstream>

#include "operator/kube/scripted_transport.h"

namespace millrace::controller {
namespace {

using std::chrono::seconds;
using ::testing::HasSubstr;

ScriptedAnswer Answer(int status, const std::string& body) {
  return {.status = status, .body = body};
}

TEST(ClientTest, WaitsAsLongAsABusyServerAsks) {
  ScriptedClient script({{.status = 429, .retry_after = seconds(7)},
                         {.status = 503, .retry_after = seconds(100)},
                         Answer(200, R"({"metadata":{"name":"a"}})")});
  const Result<RawObject> object = script.client->Get("/api/v1/x", {});
  ASSERT_TRUE(object.ok()) << object.status();
  EXPECT_EQ(script.clock.Now() - TimePoint{}, seconds(7 + 30)) << "the second wait is capped";
}

TEST(ClientTest, GivesUpOnAServerThatStaysBusy) {
  ScriptedClient script(std::vector<ScriptedAnswer>(9, Answer(429, "{}")));
  EXPECT_EQ(script.client->Get("/x", {}).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(script.calls().size(), 4u);
}

TEST(ClientTest, NeverRepeatsAWriteThatMayHaveHappened) {
  ScriptedClient script({Answer(500, "{}"), Answer(200, "{}")});
  EXPECT_EQ(script.client->MergePatch("/x", "{}", {}).status().code(), StatusCode::kUnavailable);
  EXPECT_EQ(script.calls().size(), 1u);
}

TEST(ClientTest, EachStatusHasItsCode) {
  const std::vector<std::tuple<int, std::string, StatusCode>> cases = {
      {400, "BadRequest", StatusCode::kInvalid},
      {403, "Forbidden", StatusCode::kInvalid},
      {404, "NotFound", StatusCode::kNotFound},
      {409, "Conflict", StatusCode::kConflict},
      {409, "AlreadyExists", StatusCode::kAlreadyExists},
      {410, "Gone", StatusCode::kGone},
      {422, "Invalid", StatusCode::kInvalid},
      {500, "InternalError", StatusCode::kUnavailable},
      {504, "Timeout", StatusCode::kDeadline}};
  for (const auto& [code, reason, want] : cases) {
    ScriptedClient script({Answer(code, R"({"reason":")" + reason + R"(","message":"why"})")});
    const Status status = script.client->Get("/path", {}).status();
    EXPECT_EQ(status.code(), want) << code << " " << reason;
    EXPECT_THAT(status.message(), HasSubstr("GET /path: " + std::to_string(code) + ": why"));
  }
}

TEST(ClientTest, AppliesWithAFixedManagerAndForceOnlyWhenAsked) {
  ScriptedClient script({Answer(200, "{}"), Answer(200, "{}")});
  ASSERT_TRUE(script.client->Apply("/x", "{}", {}, {}).ok());
  ASSERT_TRUE(script.client->Apply("/x", "{}", {.force = true, .to_status = true}, {}).ok());
  EXPECT_EQ(script.calls()[0].target, "/x?fieldManager=millrace-operator&force=false");
  EXPECT_EQ(script.calls()[1].target, "/x/status?fieldManager=millrace-operator&force=true");
  EXPECT_EQ(script.calls()[0].content_type, "application/apply-patch+yaml");
}

TEST(ClientTest, WritesNothingOnceItMayNot) {
  bool leads = true;
  ScriptedClient script(std::vector<ScriptedAnswer>(4, Answer(200, "{}")),
                        {.may_write = [&] { return leads; }});
  ASSERT_TRUE(script.client->Apply("/x", "{}", {}, {}).ok());
  leads = false;
  EXPECT_EQ(script.client->Apply("/x", "{}", {}, {}).status().code(), StatusCode::kAborted);
  EXPECT_EQ(script.client->Delete("/x", "u", {}).code(), StatusCode::kAborted);
  EXPECT_TRUE(script.client->Get("/x", {}).ok());
  EXPECT_EQ(script.calls().size(), 2u);
}

TEST(ClientTest, DeletesOneObjectOnly) {
  ScriptedClient script({Answer(200, "{}")});
  ASSERT_TRUE(script.client->Delete("/x", "u1", {}).ok());
  EXPECT_THAT(script.calls()[0].body, HasSubstr(R"("preconditions":{"uid":"u1"})"));
}

TEST(ClientTest, ReadsTheTokenAgainWhenItIsRefused) {
  const std::string file = ::testing::TempDir() + "/millrace-token-" + std::to_string(getpid());
  std::ofstream(file) << "first\n";
  ManualClock clock{TimePoint{}};
  auto made = std::make_unique<ScriptedTransport>(
      std::vector<ScriptedAnswer>{Answer(200, "{}"), Answer(401, "{}"), Answer(200, "{}")});
  ScriptedTransport* transport = made.get();
  Client client(std::move(made), std::make_unique<Token>(&clock, file, ""), &clock);
  ASSERT_TRUE(client.Get("/x", {}).ok());
  std::ofstream(file) << "second";
  ASSERT_TRUE(client.Get("/x", {}).ok());
  EXPECT_EQ(transport->calls()[1].bearer, "first");
  EXPECT_EQ(transport->calls()[2].bearer, "second");
  std::remove(file.c_str());
}

TEST(TokenTest, IsReadAgainEveryMinuteAndKeptWhenTheFileIsGone) {
  const std::string file = ::testing::TempDir() + "/millrace-aging-" + std::to_string(getpid());
  std::ofstream(file) << "first";
  ManualClock clock{TimePoint{}};
  Token token(&clock, file, "");
  EXPECT_EQ(token.Get().value(), "first");
  std::ofstream(file) << "second";
  EXPECT_EQ(token.Get().value(), "first");
  clock.Advance(std::chrono::minutes(1));
  EXPECT_EQ(token.Get().value(), "second");
  std::remove(file.c_str());
  clock.Advance(std::chrono::minutes(1));
  EXPECT_EQ(token.Get().value(), "second");
  EXPECT_FALSE(Token(&clock, file, "").Get().ok());
}

}  // namespace
}  // namespace millrace::controller
