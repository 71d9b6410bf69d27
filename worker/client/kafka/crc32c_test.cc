#include "worker/client/kafka/crc32c.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace millrace::worker {
namespace {

TEST(Crc32cTest, KnowsTheVectorsOfTheStandard) {
  std::string rising;
  for (int i = 0; i < 32; ++i) rising.push_back(static_cast<char>(i));
  struct Case {
    std::string input;
    uint32_t want;
  };
  for (const Case& c :
       {Case{"", 0}, Case{"123456789", 0xe3069283}, Case{std::string(32, '\0'), 0x8a9136aa},
        Case{std::string(32, '\xff'), 0x62a8ab43}, Case{rising, 0x46dd794e}}) {
    EXPECT_EQ(Crc32c(c.input), c.want);
    EXPECT_EQ(Crc32cPortable(c.input), c.want);
  }
}

TEST(Crc32cTest, AgreesWithThePortableFormAtEveryLengthAndAlignment) {
  std::mt19937 random(7);
  std::string bytes;
  for (int i = 0; i < 40000; ++i) bytes.push_back(static_cast<char>(random()));
  const std::string_view all(bytes);
  for (const size_t size :
       {1u, 7u, 8u, 767u, 768u, 769u, 2000u, 12287u, 12288u, 12289u, 13100u, 39000u}) {
    for (size_t start = 0; start < 9; ++start) {
      const std::string_view part = all.substr(start, size);
      EXPECT_EQ(Crc32c(part), Crc32cPortable(part)) << size << " from " << start;
    }
  }
}

}  // namespace
}  // namespace millrace::worker
