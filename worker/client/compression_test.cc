#include "worker/client/compression.h"

#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

std::string SomeText(size_t bytes) {
  std::string text;
  for (uint32_t x = 1; text.size() < bytes; x = x * 1664525u + 1013904223u) {
    text += "record " + std::to_string(x >> 12) + "\n";
  }
  return text;
}

class CompressionTest : public testing::TestWithParam<Codec> {};
INSTANTIATE_TEST_SUITE_P(All, CompressionTest,
                         testing::Values(Codec::kNone, Codec::kGzip, Codec::kZstd));

TEST_P(CompressionTest, ReadsBackWhatItWrote) {
  const std::string text = SomeText(1 << 20);
  const auto packed = Compress(GetParam(), text);
  ASSERT_TRUE(packed.ok()) << packed.status();
  const auto unpacked = Decompress(GetParam(), *packed, text.size());
  ASSERT_TRUE(unpacked.ok()) << unpacked.status();
  EXPECT_EQ(*unpacked, text);
}

TEST_P(CompressionTest, ReadsSeveralMembersFedByteByByte) {
  const std::string packed =
      *Compress(GetParam(), "one\n") + *Compress(GetParam(), "") + *Compress(GetParam(), "two\n");
  auto reader = *Decompressor::Create(GetParam());
  std::string out;
  char buffer[3];
  for (const char& byte : packed) {
    std::string_view input(&byte, 1);
    while (true) {
      const auto n = reader->Read(&input, buffer, sizeof(buffer));
      ASSERT_TRUE(n.ok()) << n.status();
      if (*n == 0) break;
      out.append(buffer, *n);
    }
    ASSERT_TRUE(input.empty());
  }
  EXPECT_EQ(out, "one\ntwo\n");
  EXPECT_TRUE(reader->complete());
}

TEST_P(CompressionTest, BytesDoNotDependOnHowInputIsCut) {
  const std::string text = SomeText(300'000);
  auto whole = *Compress(GetParam(), text);
  auto writer = *Compressor::Create(GetParam());
  std::string pieces;
  for (size_t at = 0; at < text.size(); at += 777) {
    ASSERT_TRUE(writer->Write(std::string_view(text).substr(at, 777), &pieces).ok());
  }
  ASSERT_TRUE(writer->Finish(&pieces).ok());
  EXPECT_EQ(pieces, whole);
}

TEST(CompressionErrorsTest, RefusesCutAndDamagedData) {
  for (const Codec codec : {Codec::kGzip, Codec::kZstd}) {
    const std::string packed = *Compress(codec, SomeText(100'000));
    EXPECT_EQ(Decompress(codec, packed.substr(0, packed.size() - 3), 1 << 20).status().code(),
              StatusCode::kInvalid);
    std::string damaged = packed;
    damaged[damaged.size() / 2] = static_cast<char>(damaged[damaged.size() / 2] ^ 0x55);
    EXPECT_EQ(Decompress(codec, damaged, 1 << 20).status().code(), StatusCode::kInvalid);
  }
}

TEST(CompressionErrorsTest, StopsBombsAtTheLimit) {
  for (const Codec codec : {Codec::kGzip, Codec::kZstd}) {
    auto writer = *Compressor::Create(codec);
    std::string bomb;
    const std::string zeros(1 << 20, '\0');
    for (int i = 0; i < 256; ++i) ASSERT_TRUE(writer->Write(zeros, &bomb).ok());
    ASSERT_TRUE(writer->Finish(&bomb).ok());

    auto reader = *Decompressor::Create(codec);
    std::string_view input = bomb;
    std::string buffer(1 << 16, ' ');
    uint64_t total = 0;
    Status status;
    while (status.ok()) {
      const auto n = reader->Read(&input, buffer.data(), buffer.size());
      status = n.status();
      if (n.ok() && *n == 0) break;
      if (n.ok()) total += *n;
    }
    EXPECT_EQ(status.code(), StatusCode::kInvalid) << status;
    EXPECT_LE(total, OutputLimit{}.min_bytes);
  }
}

TEST(CompressionErrorsTest, KnowsFormatsByTheirMagicBytes) {
  EXPECT_EQ(DetectCodec(*Compress(Codec::kGzip, "x")), Codec::kGzip);
  EXPECT_EQ(DetectCodec(*Compress(Codec::kZstd, "x")), Codec::kZstd);
  EXPECT_EQ(DetectCodec("plain"), Codec::kNone);
  EXPECT_EQ(DetectCodec(""), Codec::kNone);
}

}  // namespace
}  // namespace millrace::worker
