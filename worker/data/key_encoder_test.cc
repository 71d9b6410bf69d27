#include <gtest/gtest.h>

#include <cmath>

#include "worker/data/column_testing.h"

namespace millrace::worker {
namespace {

using testing::Batch;
using testing::Ints;
using testing::RandomBatch;
using testing::Strings;

std::vector<int> AllColumns(const RecordBatch& batch) {
  std::vector<int> columns(batch.num_columns());
  for (size_t i = 0; i < columns.size(); ++i) columns[i] = static_cast<int>(i);
  return columns;
}

int CompareRecords(const RecordBatch& batch, size_t a, size_t b) {
  for (const ColumnRef& column : batch.columns()) {
    if (const int order = CompareRows(*column, a, *column, b); order != 0) return order;
  }
  return 0;
}

constexpr const char* kKeyTypes[] = {
    "struct<a: int>",
    "struct<a: int?>",
    "struct<a: string>",
    "struct<a: string?>",
    "struct<a: double>",
    "struct<a: uint?, b: double?>",
    "struct<a: string, b: string>",
    "struct<a: string, b: int, c: bool?>",
    "struct<a: timestamp, b: string?>",
    "struct<a: bytes, b: duration, c: string>",
};

TEST(KeyEncoderTest, OrdersLikeTheValues) {
  for (const char* types : kKeyTypes) {
    SCOPED_TRACE(types);
    std::mt19937_64 random(5);
    const RecordBatch batch = RandomBatch(types, 60, &random);
    Arena arena;
    std::vector<std::string_view> keys;
    KeyEncoder(AllColumns(batch)).Encode(batch, &arena, &keys);
    for (size_t a = 0; a < keys.size(); ++a) {
      for (size_t b = 0; b < keys.size(); ++b) {
        const int order = keys[a].compare(keys[b]);
        EXPECT_EQ((order > 0) - (order < 0), CompareRecords(batch, a, b))
            << RowToJson(batch, a) << RowToJson(batch, b);
      }
    }
  }
}

TEST(KeyEncoderTest, KeysReadBack) {
  for (const char* types : kKeyTypes) {
    SCOPED_TRACE(types);
    std::mt19937_64 random(6);
    const RecordBatch batch = RandomBatch(types, 60, &random);
    Arena arena;
    std::vector<std::string_view> keys;
    KeyEncoder(AllColumns(batch)).Encode(batch, &arena, &keys);
    std::vector<Type> columns;
    for (const Field& field : batch.schema().fields()) columns.push_back(field.type);
    const std::vector<ColumnRef> decoded = DecodeKeys(keys, columns);
    for (size_t i = 0; i < columns.size(); ++i) {
      EXPECT_TRUE(testing::SameValues(batch.column(i), *decoded[i])) << i;
    }
  }
}

TEST(KeyEncoderTest, TellsEqualNestedValues) {
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const RecordBatch batch = RandomBatch(
        "struct<a: list<string?>?, b: map<string, int>, c: struct<x: bool, y: string?>?>", 30,
        &random);
    Arena arena;
    std::vector<std::string_view> keys;
    KeyEncoder(AllColumns(batch)).Encode(batch, &arena, &keys);
    for (size_t a = 0; a < keys.size(); ++a) {
      for (size_t b = 0; b < a; ++b)
        EXPECT_EQ(keys[a] == keys[b], CompareRecords(batch, a, b) == 0) << a << " " << b;
    }
  }
}

TEST(KeyEncoderTest, DoesNotCopyASingleString) {
  const RecordBatch batch = Batch({{"word", Strings({"spark"})}});
  Arena arena;
  std::vector<std::string_view> keys;
  KeyEncoder({0}).Encode(batch, &arena, &keys);
  EXPECT_EQ(keys[0].data(), batch.column(0).strings[0].data());
}

TEST(KeyEncoderTest, TakesMinusZeroForZeroAndAllNanForOne) {
  const RecordBatch batch =
      Batch({{"x", testing::Doubles({0.0, -0.0, std::nan("1"), -std::nan("2")})}});
  Arena arena;
  std::vector<std::string_view> keys;
  KeyEncoder({0}).Encode(batch, &arena, &keys);
  EXPECT_EQ(keys[0], keys[1]);
  EXPECT_EQ(keys[2], keys[3]);
}

TEST(KeyEncoderTest, GivesEveryRowTheEmptyKeyWithoutColumns) {
  const RecordBatch batch = Batch({{"n", Ints({1, 2})}});
  Arena arena;
  std::vector<std::string_view> keys;
  KeyEncoder({}).Encode(batch, &arena, &keys);
  EXPECT_EQ(keys, (std::vector<std::string_view>{"", ""}));
}

// Stored state depends on these numbers.
TEST(KeyHashTest, NeverChanges) {
  EXPECT_EQ(HashKey(""), 0x2d06800538d394c2u);
  EXPECT_EQ(HashKey("spark"), HashKey(std::string("spark")));
  EXPECT_EQ(KeyGroupOf(0, 128), 0);
  EXPECT_EQ(KeyGroupOf(UINT64_MAX, 128), 127);
}

TEST(KeyHashTest, HashesManyLikeOne) {
  const std::vector<std::string_view> keys{"", "a", "spark streaming", std::string_view("\0x", 2)};
  std::vector<uint64_t> hashes;
  HashKeys(keys, &hashes);
  for (size_t i = 0; i < keys.size(); ++i) EXPECT_EQ(hashes[i], HashKey(keys[i]));
}

}  // namespace
}  // namespace millrace::worker
