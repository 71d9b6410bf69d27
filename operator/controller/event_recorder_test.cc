#include "operator/controller/event_recorder.h"

#include <gmock/gmock.h>

#include "operator/kube/scripted_transport.h"

namespace millrace::controller {
namespace {

using std::chrono::minutes;
using ::testing::HasSubstr;

struct Recorded {
  Recorded() : script(std::vector<ScriptedAnswer>(500, {.body = "{}"})) {}
  void Record(const std::string& message, const std::string& uid = "u1") {
    recorder.Record({"ns", "words", uid, "7"}, {true, "Refused", message}, {});
  }
  std::vector<std::string> methods() const {
    std::vector<std::string> all;
    for (const HttpCall& call : script.calls()) all.push_back(call.method);
    return all;
  }
  ScriptedClient script;
  EventRecorder recorder{script.client.get(), &script.clock, "pod-1"};
};

TEST(EventRecorderTest, WritesWhoWhatAndWhy) {
  Recorded events;
  events.Record("no such stream");
  ASSERT_EQ(events.script.calls().size(), 1u);
  const HttpCall call = events.script.calls()[0];
  EXPECT_THAT(call.target, HasSubstr("/api/v1/namespaces/ns/events"));
  for (const char* part : {R"("uid":"u1")", R"("reason":"Refused")", R"("type":"Warning")",
                           R"("message":"no such stream")", R"("count":1)"})
    EXPECT_THAT(call.body, HasSubstr(part));
}

TEST(EventRecorderTest, CountsOnInAnEventThatIsThere) {
  Recorded events;
  events.Record("same");
  events.Record("same");
  EXPECT_THAT(events.methods(), ::testing::ElementsAre("POST", "PATCH"));
  EXPECT_THAT(events.script.calls()[1].body, HasSubstr(R"("count":2)"));
  events.script.clock.Advance(minutes(11));
  events.Record("same");
  EXPECT_EQ(events.methods().back(), "POST") << "too long ago";
}

TEST(EventRecorderTest, LimitsWhatOneJobCanSayAndNoOther) {
  Recorded events;
  for (int i = 0; i < 100; ++i) events.Record("message " + std::to_string(i));
  EXPECT_EQ(events.methods().size(), static_cast<size_t>(EventRecorder::kBurst));
  events.Record("another job", "u2");
  EXPECT_EQ(events.methods().size(), EventRecorder::kBurst + 1u);
  events.script.clock.Advance(minutes(5));
  events.Record("later");
  events.Record("too much");
  EXPECT_EQ(events.methods().size(), EventRecorder::kBurst + 2u);
}

}  // namespace
}  // namespace millrace::controller
