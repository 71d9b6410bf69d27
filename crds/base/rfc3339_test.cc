#include <gtest/gtest.h>

#include "crds/base/text.h"

namespace millrace {
namespace {

TEST(Rfc3339Test, EndsOnTextsThatAreNotTimes) {
  for (const char* text : {"", ".1", ".", "2024", "2024-06-01T00:00:00.1", "2024-06-01T00:00:00.Z",
                           "2023-02-29T00:00:00Z"}) {
    EXPECT_FALSE(ParseRfc3339(text).ok()) << text;
  }
}

TEST(Rfc3339Test, ReadsOffsetsAndFractions) {
  const Result<TimePoint> time = ParseRfc3339("2024-06-01T02:00:00.25+02:00");
  ASSERT_TRUE(time.ok()) << time.status();
  EXPECT_EQ(FormatRfc3339(*time), "2024-06-01T00:00:00.250Z");
}

}  // namespace
}  // namespace millrace
