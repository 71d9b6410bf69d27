#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/engine/check.h"

// What sources, joins and sinks are refused for once their types are known.
namespace millrace::worker::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::EndsWith;

TEST(KindCheckTest, KeysOfAJoinHaveOneType) {
  EXPECT_THAT(
      Check(
          Job("    - {name: s, from: lines, steps: [{join: {with: o, key: [k], window: {batch: "
              "{}}}}]}\n",
              "{name: lines, stdin: {}, format: {json: {schema: {k: string, v: int}}}}, {name: o, "
              "generator: {fields: {k: seq}}}")),
      ElementsAre(EndsWith(": spec.streams[0].steps[0].join.key[0]: \"k\" of \"o\" is of type int, "
                           "but \"k\" is of type string")));
}

std::vector<std::string> CheckHttp(const std::string& headers) {
  return Check(
      "apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: x}\nspec:\n"
      "  sources: [{name: lines, stdin: {}, format: {text: {}}}]\n"
      "  sinks: [{name: o, from: lines, http: {url: \"http://h/\", headers: {" +
      headers + "}}, format: {text: {}}}]\n");
}

TEST(KindCheckTest, HeadersHoldNoSecrets) {
  EXPECT_THAT(CheckHttp("X-Team: web"), ::testing::IsEmpty());
  EXPECT_THAT(CheckHttp("Authorization: Bearer hunter2"),
              ElementsAre(EndsWith(": spec.sinks[0].http.headers.Authorization: would put a secret "
                                   "into the manifest; use auth.secretName")));
}

}  // namespace
}  // namespace millrace::worker::testing
