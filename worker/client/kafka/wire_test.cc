#include "worker/client/kafka/wire.h"

#include <gtest/gtest.h>

#include <limits>

namespace millrace::worker {
namespace {

TEST(KafkaWireTest, WritesIntegersInNetworkOrder) {
  std::string out;
  KafkaWriter writer(&out);
  writer.I16(0x0102);
  writer.I32(-2);
  writer.I64(0x0102030405060708);
  EXPECT_EQ(out, std::string("\x01\x02\xff\xff\xff\xfe\x01\x02\x03\x04\x05\x06\x07\x08", 14));
}

TEST(KafkaWireTest, ReadsWhatItWrote) {
  std::string out;
  KafkaWriter writer(&out);
  writer.Bool(true);
  for (const int64_t value :
       {int64_t{0}, int64_t{-1}, int64_t{64}, std::numeric_limits<int64_t>::min(),
        std::numeric_limits<int64_t>::max()}) {
    writer.Varint(value);
    writer.I64(value);
  }
  writer.CompactString("topic");
  writer.NullCompact();
  writer.String("old");
  KafkaReader reader(out);
  EXPECT_TRUE(reader.Bool());
  for (int i = 0; i < 5; ++i) {
    const int64_t value = reader.Varint();
    EXPECT_EQ(value, reader.I64());
  }
  bool null = true;
  EXPECT_EQ(reader.CompactString(&null), "topic");
  EXPECT_FALSE(null);
  EXPECT_EQ(reader.CompactString(&null), "");
  EXPECT_TRUE(null);
  EXPECT_EQ(reader.String(), "old");
  EXPECT_TRUE(reader.ok());
  EXPECT_EQ(reader.remaining(), 0u);
}

TEST(KafkaWireTest, StaysAtZeroBehindTheEnd) {
  KafkaReader reader("abc");
  EXPECT_EQ(reader.I32(), 0);
  EXPECT_FALSE(reader.ok());
  EXPECT_EQ(reader.I8(), 0);
  EXPECT_EQ(reader.Finish("answer").message(), "malformed answer");
}

TEST(KafkaWireTest, RefusesCountsThatTheInputCannotHold) {
  const std::string huge = std::string("\xff\xff\xff\xff\x0f", 5) + std::string(100, 'x');
  KafkaReader compact(huge);
  EXPECT_EQ(compact.CompactCount(4), 0u);
  EXPECT_FALSE(compact.ok());
  KafkaReader old(std::string_view("\x7f\xff\xff\xff 12", 7));
  EXPECT_EQ(old.Count(1), 0u);
  EXPECT_FALSE(old.ok());
}

TEST(KafkaWireTest, RefusesVarintsThatNeverEnd) {
  const std::string endless(20, '\x80');
  KafkaReader reader(endless);
  EXPECT_EQ(reader.Uvarint(), 0u);
  EXPECT_FALSE(reader.ok());
}

TEST(KafkaWireTest, SkipsTaggedFields) {
  KafkaReader reader(std::string_view("\x02\x00\x01x\x05\x02yz\x2a", 9));
  reader.SkipTags();
  EXPECT_EQ(reader.I8(), 42);
  EXPECT_TRUE(reader.ok());
}

}  // namespace
}  // namespace millrace::worker
