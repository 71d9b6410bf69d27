#include "worker/state/key_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

#include "worker/data/record_batch.h"

namespace millrace::worker {
namespace {

std::vector<uint64_t> Hashes(const std::vector<std::string_view>& keys) {
  std::vector<uint64_t> hashes;
  HashKeys(keys, &hashes);
  return hashes;
}

std::vector<uint32_t> Insert(KeyTable* table, const std::vector<std::string_view>& keys) {
  std::vector<uint32_t> rows;
  table->FindOrInsert(keys, Hashes(keys), &rows);
  return rows;
}

TEST(KeyTableTest, NumbersKeysInOrderOfFirstSight) {
  KeyTable table;
  EXPECT_EQ(Insert(&table, {"b", "a", "b", "", "a"}), (std::vector<uint32_t>{0, 1, 0, 2, 1}));
  EXPECT_EQ(table.size(), 3u);
  EXPECT_EQ(table.key(1), "a");
}

TEST(KeyTableTest, CountsInsertedRows) {
  KeyTable table;
  const std::vector<std::string_view> keys{"a", "b", "a"};
  std::vector<uint32_t> rows;
  EXPECT_EQ(table.FindOrInsert(keys, Hashes(keys), &rows), 2u);
  EXPECT_EQ(table.FindOrInsert(keys, Hashes(keys), &rows), 0u);
}

TEST(KeyTableTest, TellsKeysOfOneHashApart) {
  KeyTable table;
  const std::vector<std::string_view> keys{"a", "b", "a", "c", "b"};
  const std::vector<uint64_t> hashes(keys.size(), 42);
  std::vector<uint32_t> rows;
  table.FindOrInsert(keys, hashes, &rows);
  EXPECT_EQ(rows, (std::vector<uint32_t>{0, 1, 0, 2, 1}));
  table.Find(keys, hashes, &rows);
  EXPECT_EQ(rows, (std::vector<uint32_t>{0, 1, 0, 2, 1}));
  EXPECT_EQ(table.Find("d", 42), KeyTable::kNone);
}

TEST(KeyTableTest, ComparesEveryByteOfKeysOfAnyLength) {
  for (size_t size = 0; size <= 40; ++size) {
    KeyTable table;
    bool inserted = false;
    const std::string key(size, 'k');
    EXPECT_EQ(table.FindOrInsert(key, 1, &inserted), 0u);
    EXPECT_EQ(table.Find(key, 1), 0u) << size;
    EXPECT_EQ(table.Find(key + "k", 1), KeyTable::kNone) << size;
    for (size_t at = 0; at < size; ++at) {
      std::string other = key;
      other[at] = 'o';
      EXPECT_EQ(table.Find(other, 1), KeyTable::kNone) << size << " " << at;
    }
  }
}

TEST(KeyTableTest, ReusesTheRowFreedLast) {
  KeyTable table;
  Insert(&table, {"a", "b", "c"});
  table.Erase(0);
  table.Erase(2);
  EXPECT_EQ(table.Find("a", HashKey("a")), KeyTable::kNone);
  EXPECT_EQ(Insert(&table, {"d", "e", "f"}), (std::vector<uint32_t>{2, 0, 3}));
  EXPECT_EQ(table.row_limit(), 4u);
}

TEST(KeyTableTest, SortsRowsByKeyBytes) {
  KeyTable table;
  Insert(&table, {"banana", "ab", "", "applesauce", "apples", std::string_view("ab\0", 3), "\xff"});
  EXPECT_EQ(table.SortedRows(), (std::vector<uint32_t>{2, 1, 5, 4, 3, 0, 6}));
}

TEST(KeyTableTest, BehavesLikeAMapUnderRandomUse) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    KeyTable table;
    std::map<std::string, uint32_t> model;
    for (int i = 0; i < 5000; ++i) {
      const std::string key = std::to_string(random() % 300);
      const auto found = model.find(key);
      ASSERT_EQ(table.Find(key, HashKey(key)),
                found == model.end() ? KeyTable::kNone : found->second);
      if (random() % 2 == 0) {
        bool inserted = false;
        const uint32_t row = table.FindOrInsert(key, HashKey(key), &inserted);
        ASSERT_EQ(inserted, found == model.end());
        model[key] = row;
      } else if (found != model.end()) {
        table.Erase(found->second);
        model.erase(found);
      }
      if (i % 1000 == 0) table.CompactIfSparse();
      ASSERT_EQ(table.size(), model.size());
    }
  }
}

TEST(KeyTableTest, GivesBackBytesOfErasedKeys) {
  KeyTable table;
  for (int i = 0; i < 2000; ++i) {
    bool inserted = false;
    const std::string key = std::to_string(i) + std::string(100, 'x');
    const uint32_t row = table.FindOrInsert(key, HashKey(key), &inserted);
    if (i % 10 != 0) table.Erase(row);
  }
  const size_t before = table.ByteSize();
  table.CompactIfSparse();
  EXPECT_LT(table.ByteSize(), before - 100'000);
  const std::string kept = "10" + std::string(100, 'x');
  EXPECT_EQ(table.key(table.Find(kept, HashKey(kept))), kept);
}

TEST(KeyTableTest, StartsAgainAfterClear) {
  KeyTable table;
  Insert(&table, {"a", "b"});
  table.Clear();
  EXPECT_EQ(table.size(), 0u);
  EXPECT_EQ(Insert(&table, {"b"}), std::vector<uint32_t>{0});
}

}  // namespace
}  // namespace millrace::worker
