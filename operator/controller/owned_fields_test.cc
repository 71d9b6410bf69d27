#include "operator/controller/owned_fields.h"

#include <gtest/gtest.h>

namespace millrace::controller {
namespace {

const char* kApplied = R"({"apiVersion":"v1","kind":"Service","metadata":{"uid":"u","name":"a",)"
                       R"("labels":{"x":"1"}},"spec":{"selector":{"app":"a"},"args":["p","q"],)"
                       R"("ports":[{"port":80,"protocol":"TCP","name":"http"}]}})";
const char* kPort = R"("k:{\"port\":80,\"protocol\":\"TCP\"}":{".":{},"f:name":{},"f:port":{},)"
                    R"("f:protocol":{}})";

std::string Owned(const std::string& labels, const std::string& spec) {
  return R"({"f:metadata":{"f:labels":{)" + labels + R"(}},"f:spec":{)" + spec + "}}";
}

TEST(OwnedFieldsTest, AllThatWasAppliedIsCovered) {
  EXPECT_TRUE(CoversApplied(
      Owned(R"("f:x":{})", R"("f:selector":{},"f:args":{},"f:ports":{)" + std::string(kPort) + "}"),
      kApplied));
}

TEST(OwnedFieldsTest, AFieldThatAnotherTookIsMissed) {
  const std::string port = kPort;
  const std::string ports = R"(,"f:ports":{)" + port + "}";
  const std::string cases[] = {
      Owned(R"("f:y":{})", R"("f:selector":{},"f:args":{})" + ports),
      Owned(R"("f:x":{})", R"("f:args":{})" + ports),
      Owned(R"("f:x":{})", R"("f:selector":{})" + ports),
      Owned(R"("f:x":{})", R"("f:selector":{},"f:args":{})"),
      Owned(R"("f:x":{})",
            R"("f:selector":{},"f:args":{},"f:ports":{"k:{\"port\":81,\"protocol\":\"TCP\"}":{}})"),
      Owned(R"("f:x":{})",
            R"("f:selector":{},"f:args":{},"f:ports":{"k:{\"port\":80,\"protocol\":\"TCP\"}":)"
            R"({".":{},"f:port":{},"f:protocol":{}}})"),
  };
  for (const std::string& owned : cases) EXPECT_FALSE(CoversApplied(owned, kApplied)) << owned;
}

TEST(OwnedFieldsTest, WhatIsNotKnownIsNotMissed) {
  EXPECT_TRUE(CoversApplied("", kApplied));
  EXPECT_TRUE(CoversApplied("{", kApplied));
}

}  // namespace
}  // namespace millrace::controller
