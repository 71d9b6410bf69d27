#include <gtest/gtest.h>

#include "worker/source/file/file_source.h"

namespace millrace::worker {
namespace {

TEST(FileCursorTest, KeepsWhatIsGoneOnlyUpToALimit) {
  FileCursor cursor;
  std::vector<uint64_t> hashes;
  for (uint64_t i = 0; i < FileCursor::kKeepGone + 50; ++i) hashes.push_back(i);
  cursor.Settle(hashes, hashes);
  EXPECT_EQ(cursor.seen.size(), hashes.size());
  cursor.Settle({}, {});
  EXPECT_TRUE(cursor.seen.empty());
  EXPECT_EQ(cursor.gone.size(), FileCursor::kKeepGone);
  EXPECT_TRUE(cursor.HasSeen(100));
  EXPECT_FALSE(cursor.HasSeen(10));
  const auto again = FileCursor::Decode(cursor.Encode());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->gone, cursor.gone);
}

TEST(FileCursorTest, RefusesDamagedText) {
  FileCursor cursor;
  cursor.seen = {1, 2, 3};
  const std::string text = cursor.Encode();
  EXPECT_EQ(FileCursor::Decode("?").status().code(), StatusCode::kGone);
  EXPECT_EQ(FileCursor::Decode(text.substr(0, 8)).status().code(), StatusCode::kGone);
  EXPECT_EQ(DecodePieces(text).status().code(), StatusCode::kGone);
}

}  // namespace
}  // namespace millrace::worker
