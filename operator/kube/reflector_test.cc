#include "operator/kube/reflector.h"

#include <gmock/gmock.h>

#include "crds/base/text.h"
#include "operator/kube/scripted_transport.h"
#include "operator/kube/store.h"

namespace millrace::controller {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::string ObjectJson(const std::string& name, const std::string& version) {
  return R"({"metadata":{"namespace":"ns","name":")" + name + R"(","uid":"u-)" + name +
         R"(","resourceVersion":")" + version + R"("}})";
}

ScriptedAnswer ListAnswer(const std::vector<std::string>& names, const std::string& version,
                          const std::string& next = "") {
  std::string items;
  for (const std::string& name : names)
    items += (items.empty() ? "" : ",") + ObjectJson(name, version);
  return {.body = R"({"metadata":{"resourceVersion":")" + version + R"(","continue":")" + next +
                  R"("},"items":[)" + items + "]}"};
}

std::string EventLine(const std::string& type, const std::string& object) {
  return R"({"type":")" + type + R"(","object":)" + object + "}\n";
}

ScriptedAnswer Failure(int status) { return {.status = status, .body = R"({"message":"no"})"}; }

// A reflector over a script, run to its end. Keeps the names that the store reported.
struct Mirror {
  explicit Mirror(std::vector<ScriptedAnswer> answers, ReflectorOptions options = {})
      : script(std::move(answers), {.max_attempts = 1}),
        store([](const RawObject& object) { return std::optional(object.resource_version); },
              [this](const RawObject& object, const std::string&) {
                reported.push_back(object.name);
              }),
        reflector(script.client.get(), &script.clock, {"apps/v1", "deployments"},
                  {.label_selector = "a=b"}, &store, options) {
    reflector.Run(script.transport->stop().get_token());
  }
  std::vector<std::string> targets() const {
    std::vector<std::string> all;
    for (const HttpCall& call : script.calls()) all.push_back(call.target);
    return all;
  }
  Duration elapsed() const { return script.clock.Now() - TimePoint{}; }

  std::vector<std::string> reported;
  ScriptedClient script;
  Store<std::string> store;
  Reflector reflector;
};

TEST(ReflectorTest, ListsInPagesAndWatchesFromTheVersionOfTheList) {
  const Mirror mirror({ListAnswer({"a"}, "10", "next page"), ListAnswer({"b"}, "x11"), {}});
  EXPECT_THAT(mirror.store.Keys(), ElementsAre("ns/a", "ns/b"));
  const auto targets = mirror.targets();
  ASSERT_EQ(targets.size(), 3u);
  EXPECT_EQ(targets[0], "/apis/apps/v1/deployments?limit=500&labelSelector=a%3db");
  EXPECT_THAT(targets[1], HasSubstr("&continue=next%20page"));
  EXPECT_THAT(targets[2], HasSubstr("?watch=1&allowWatchBookmarks=true&resourceVersion=x11&"));
  EXPECT_TRUE(mirror.reflector.synced());
}

TEST(ReflectorTest, StartsTheListAgainWhenAPageHasExpired) {
  const Mirror mirror({ListAnswer({"old"}, "10", "p2"), Failure(410), ListAnswer({"a"}, "12"), {}});
  EXPECT_THAT(mirror.store.Keys(), ElementsAre("ns/a"));
  EXPECT_THAT(mirror.targets()[2], Not(HasSubstr("continue")));
}

TEST(ReflectorTest, TakesEventsIntoTheStore) {
  const Mirror mirror({ListAnswer({"a", "b"}, "10"),
                       {.body = EventLine("ADDED", ObjectJson("c", "11")) +
                                EventLine("MODIFIED", ObjectJson("a", "12")) +
                                EventLine("DELETED", ObjectJson("b", "13"))}});
  EXPECT_THAT(mirror.store.Keys(), ElementsAre("ns/a", "ns/c"));
  EXPECT_EQ(*mirror.store.Find("ns/a"), "12");
  EXPECT_THAT(mirror.reported, ElementsAre("a", "b", "c", "a", "b"));
}

TEST(ReflectorTest, ABookmarkMovesTheVersionAndNothingElse) {
  const Mirror mirror({ListAnswer({"a"}, "10"),
                       {.body = EventLine("BOOKMARK", R"({"metadata":{"resourceVersion":"99"}})")},
                       {}});
  EXPECT_THAT(mirror.targets()[2], HasSubstr("resourceVersion=99&"));
  EXPECT_THAT(mirror.reported, ElementsAre("a"));
}

TEST(ReflectorTest, GoneAsAnAnswerListsAgainWithoutWaiting) {
  const Mirror mirror({ListAnswer({"a"}, "10"), Failure(410), ListAnswer({"a"}, "20"), {}});
  EXPECT_EQ(mirror.reflector.lists(), 2);
  EXPECT_THAT(mirror.targets()[3], HasSubstr("resourceVersion=20&"));
}

TEST(ReflectorTest, GoneAsAnEventListsAgainAndReportsWhatVanished) {
  const Mirror mirror(
      {ListAnswer({"a", "b"}, "10"),
       {.body = EventLine("ERROR", R"({"kind":"Status","code":410,"reason":"Expired"})")},
       ListAnswer({"a"}, "20"),
       {}});
  EXPECT_THAT(mirror.store.Keys(), ElementsAre("ns/a"));
  EXPECT_THAT(mirror.reported, ElementsAre("a", "b", "a", "b"));
}

TEST(ReflectorTest, ABusyServerIsWatchedAgainAndNotListed) {
  const Mirror mirror(
      {ListAnswer({"a"}, "10"), Failure(429), Failure(429), Failure(429), Failure(429), {}});
  EXPECT_EQ(mirror.reflector.lists(), 1);
  EXPECT_THAT(mirror.targets()[5], HasSubstr("resourceVersion=10&"));
}

TEST(ReflectorTest, WaitsLongerAfterEachFailureUpToTheCap) {
  std::vector<ScriptedAnswer> answers(12, Failure(500));
  const Mirror mirror(
      answers,
      {.backoff = {.base = std::chrono::seconds(1), .cap = std::chrono::seconds(30), .jitter = 0}});
  EXPECT_EQ(mirror.elapsed(), std::chrono::seconds(1 + 2 + 4 + 8 + 16 + 30 * 7));
}

TEST(ReflectorTest, ASilentWatchIsOpenedAgainFromTheLastVersion) {
  const Mirror mirror(
      {ListAnswer({"a"}, "10"),
       {.body = EventLine("MODIFIED", ObjectJson("a", "15")), .fails = DeadlineError("silence")},
       {}});
  EXPECT_EQ(mirror.reflector.lists(), 1);
  EXPECT_THAT(mirror.targets()[2], HasSubstr("resourceVersion=15&"));
}

TEST(ReflectorTest, AVersionTheServerNeverServesIsGivenUpForAList) {
  const Mirror mirror({ListAnswer({"a"}, "10"),
                       Failure(504),
                       Failure(504),
                       Failure(504),
                       ListAnswer({"a"}, "5"),
                       {}});
  EXPECT_EQ(mirror.reflector.lists(), 2);
  EXPECT_THAT(mirror.targets()[5], HasSubstr("resourceVersion=5&"));
}

TEST(ReflectorTest, AsksTheServerToEndWatchesAfterFiveToTenMinutes) {
  const Mirror mirror({ListAnswer({}, "1"), {}, {}, {}, {}});
  std::set<int> seen;
  for (const std::string& target : mirror.targets()) {
    const size_t at = target.find("timeoutSeconds=");
    if (at != std::string::npos) seen.insert(std::stoi(target.substr(at + 15)));
  }
  EXPECT_GE(*seen.begin(), 300);
  EXPECT_LE(*seen.rbegin(), 600);
  EXPECT_GT(seen.size(), 1u);
}

TEST(ReflectorTest, AKindTheServerDoesNotKnowHasNoObjects) {
  const Mirror mirror({Failure(404), Failure(404), ListAnswer({"a"}, "3"), {}},
                      {.optional = true, .absent_wait = std::chrono::minutes(1)});
  EXPECT_EQ(mirror.elapsed(), std::chrono::minutes(2) + mirror.elapsed() % std::chrono::minutes(1));
  EXPECT_THAT(mirror.store.Keys(), ElementsAre("ns/a"));
}

TEST(ReflectorTest, ALineThatIsNoEventEndsTheWatchAndLosesNothing) {
  const Mirror mirror({ListAnswer({"a"}, "10"),
                       {.body = EventLine("MODIFIED", ObjectJson("a", "11")) + "<html>\n"},
                       {.body = EventLine("MODIFIED", ObjectJson("a", "12"))},
                       {}});
  EXPECT_EQ(*mirror.store.Find("ns/a"), "12");
}

}  // namespace
}  // namespace millrace::controller
