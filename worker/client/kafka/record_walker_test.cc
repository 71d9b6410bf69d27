#include "worker/client/kafka/record_walker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>
#include <random>

#include "worker/client/kafka/batch_builder.h"

namespace millrace::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr int64_t kAll = std::numeric_limits<int64_t>::max();

// Walks sets of batches and keeps what the visitor was given.
class Walk {
 public:
  explicit Walk(WalkOptions options = {.window = {0, kAll}})
      : pool_(BufferPool::Create()),
        visitor_([this](KafkaRecords records) { return Take(std::move(records)); }),
        walker_(options, pool_, &visitor_) {}

  Status Add(const std::string& set, std::vector<AbortedTransaction> aborted = {}) {
    KafkaBuffer buffer = pool_->Take(set.size());
    std::memcpy(buffer.data.get(), set.data(), set.size());
    return walker_.Walk(buffer.view(), buffer.data, std::move(aborted));
  }

  std::vector<std::string> values;  // "offset=value"
  std::vector<KafkaRecords> calls;
  int64_t next_offset() const { return walker_.next_offset(); }
  bool done() const { return walker_.done(); }

 private:
  Status Take(KafkaRecords records) {
    for (size_t i = 0; i < records.size(); ++i) {
      const bool null = !records.null_values.empty() && records.null_values[i] != 0;
      values.push_back(std::to_string(records.offset(i)) + "=" +
                       (null ? "null" : std::string(records.values[i])));
    }
    calls.push_back(std::move(records));
    return OkStatus();
  }

  std::shared_ptr<BufferPool> pool_;
  KafkaVisitor visitor_;
  RecordWalker walker_;
};

std::string Batch(int64_t base, std::initializer_list<std::string_view> values,
                  BatchSpec spec = {}) {
  spec.base_offset = base;
  BatchBuilder builder(spec);
  for (const std::string_view value : values) builder.Add(std::nullopt, value);
  return builder.Build();
}

TEST(RecordWalkerTest, GivesRecordsOfSeveralBatchesInOneCall) {
  Walk walk;
  ASSERT_TRUE(walk.Add(Batch(5, {"a", "b"}) + Batch(7, {"c"})).ok());
  EXPECT_THAT(walk.values, ElementsAre("5=a", "6=b", "7=c"));
  ASSERT_EQ(walk.calls.size(), 1u);
  EXPECT_THAT(walk.calls[0].offsets, IsEmpty());
  EXPECT_THAT(walk.calls[0].null_values, IsEmpty());
  EXPECT_EQ(walk.calls[0].owners.size(), 1u);
  EXPECT_EQ(walk.next_offset(), 8);
}

TEST(RecordWalkerTest, WritesOffsetsDownOnceThereIsAGap) {
  Walk walk;
  BatchBuilder compacted({.base_offset = 2, .last_delta = 20});
  compacted.AddAt(0, "k", "b").AddAt(7, "k", "c");
  ASSERT_TRUE(walk.Add(Batch(1, {"a"}) + compacted.Build() + Batch(23, {"d"})).ok());
  EXPECT_THAT(walk.values, ElementsAre("1=a", "2=b", "9=c", "23=d"));
  EXPECT_THAT(walk.calls[0].offsets, ElementsAre(1, 2, 9, 23));
}

TEST(RecordWalkerTest, UnpacksEveryCodec) {
  const std::string large(100'000, 'x');
  std::string set;
  int64_t base = 0;
  for (const auto& [codec, java] :
       {std::pair{1, false}, {2, false}, {2, true}, {3, false}, {4, false}}) {
    set += Batch(base, {"small", large}, {.codec = codec, .java_snappy = java});
    base += 2;
  }
  Walk walk;
  ASSERT_TRUE(walk.Add(set).ok());
  ASSERT_EQ(walk.values.size(), 10u);
  for (size_t i = 0; i < 10; i += 2) {
    EXPECT_EQ(walk.values[i], std::to_string(i) + "=small");
    EXPECT_EQ(walk.values[i + 1], std::to_string(i + 1) + "=" + large);
  }
}

TEST(RecordWalkerTest, GivesTheColumnsThatAreAskedFor) {
  Walk walk({.window = {0, kAll}, .columns = {.keys = true, .timestamps = true, .headers = true}});
  BatchBuilder builder({.base_timestamp_ms = 500});
  builder.Add("k", "v", {{"h", "1"}, {"n", std::nullopt}})
      .Add(std::nullopt, "w")
      .Add("", std::nullopt);
  ASSERT_TRUE(walk.Add(builder.Build()).ok());
  const KafkaRecords& got = walk.calls.at(0);
  EXPECT_THAT(got.keys, ElementsAre("k", "", ""));
  EXPECT_THAT(got.null_keys, ElementsAre(0, 1, 0));
  EXPECT_THAT(got.null_values, ElementsAre(0, 0, 1));
  EXPECT_THAT(got.timestamps_ms, ElementsAre(500, 501, 502));
  std::vector<std::string> headers;
  ASSERT_TRUE(ForEachKafkaHeader(got.headers.at(0), [&](const KafkaHeader& header) {
                headers.push_back(std::string(header.name) +
                                  (header.null ? "!" : std::string(header.value)));
              }).ok());
  EXPECT_THAT(headers, ElementsAre("h1", "n!"));
}

TEST(RecordWalkerTest, LeavesColumnsEmptyThatNobodyAskedFor) {
  Walk walk;
  ASSERT_TRUE(walk.Add(BatchBuilder({}).Add("k", "v", {{"h", "1"}}).Build()).ok());
  const KafkaRecords& got = walk.calls.at(0);
  EXPECT_THAT(got.keys, IsEmpty());
  EXPECT_THAT(got.null_keys, IsEmpty());
  EXPECT_THAT(got.timestamps_ms, IsEmpty());
  EXPECT_THAT(got.headers, IsEmpty());
}

TEST(RecordWalkerTest, TakesTheAppendTimeWhereTheBatchSaysSo) {
  Walk walk({.window = {0, kAll}, .columns = {.timestamps = true}});
  ASSERT_TRUE(
      walk.Add(Batch(0, {"a", "b"}, {.flags = BatchBuilder::kAppendTime, .max_timestamp_ms = 77}))
          .ok());
  EXPECT_THAT(walk.calls.at(0).timestamps_ms, ElementsAre(77, 77));
}

TEST(RecordWalkerTest, CutsTheWindowOutOfBatches) {
  Walk walk({.window = {6, 9}});
  ASSERT_TRUE(
      walk.Add(Batch(4, {"a", "b", "c", "d"}) + Batch(8, {"e", "f"}) + Batch(10, {"g"})).ok());
  EXPECT_THAT(walk.values, ElementsAre("6=c", "7=d", "8=e"));
  EXPECT_TRUE(walk.done());
}

TEST(RecordWalkerTest, NeverGivesARecordTwice) {
  Walk walk;
  ASSERT_TRUE(walk.Add(Batch(0, {"a", "b"})).ok());
  ASSERT_TRUE(walk.Add(Batch(0, {"a", "b", "c"}) + Batch(3, {"d"})).ok());
  EXPECT_THAT(walk.values, ElementsAre("0=a", "1=b", "2=c", "3=d"));
}

TEST(RecordWalkerTest, PassesTheEndOfTheWindowWithoutARecordThere) {
  Walk walk({.window = {0, 5}});
  ASSERT_TRUE(walk.Add(Batch(0, {"a"}) + Batch(40, {"z"})).ok());
  EXPECT_THAT(walk.values, ElementsAre("0=a"));
  EXPECT_TRUE(walk.done());
}

TEST(RecordWalkerTest, IgnoresAPartialBatchAtTheEnd) {
  const std::string whole = Batch(0, {"a"});
  const std::string next = Batch(1, {"bcdefgh"});
  for (size_t size = 0; size < next.size(); ++size) {
    Walk walk;
    ASSERT_TRUE(walk.Add(whole + next.substr(0, size)).ok()) << size;
    EXPECT_THAT(walk.values, ElementsAre("0=a"));
    EXPECT_EQ(walk.next_offset(), 1);
  }
}

TEST(RecordWalkerTest, LeavesOutControlRecordsAndAbortedTransactions) {
  const BatchSpec seven{.flags = BatchBuilder::kTransactional, .producer_id = 7};
  const BatchSpec eight{.flags = BatchBuilder::kTransactional, .producer_id = 8};
  const std::string set = Batch(0, {"bad"}, seven) + Batch(1, {"good"}, eight) +
                          Batch(2, {"plain"}) + BatchBuilder::Marker(3, 7, false) +
                          BatchBuilder::Marker(4, 8, true) + Batch(5, {"later"}, seven) +
                          BatchBuilder::Marker(6, 7, true) + Batch(7, {"bad"}, eight) +
                          BatchBuilder::Marker(8, 8, false);
  Walk committed;
  ASSERT_TRUE(committed.Add(set, {{8, 7}, {7, 0}}).ok());
  EXPECT_THAT(committed.values, ElementsAre("1=good", "2=plain", "5=later"));
  EXPECT_EQ(committed.next_offset(), 9);
  Walk all;
  ASSERT_TRUE(all.Add(set).ok());
  EXPECT_THAT(all.values, ElementsAre("0=bad", "1=good", "2=plain", "5=later", "7=bad"));
}

TEST(RecordWalkerTest, CallsTheVisitorAboutEveryHalfMebibyte) {
  const std::string value(100'000, 'x');
  std::string set;
  for (int64_t offset = 0; offset < 12; ++offset) set += Batch(offset, {value});
  Walk walk;
  ASSERT_TRUE(walk.Add(set).ok());
  EXPECT_EQ(walk.calls.size(), 2u);
  EXPECT_EQ(walk.values.size(), 12u);
}

TEST(RecordWalkerTest, RefusesDamageAndNamesTheOffset) {
  std::string set = Batch(41, {"abcdef"});
  set.back() ^= 1;
  Walk walk;
  const Status status = walk.Add(set);
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("CRC mismatch in the record batch at offset 41"));
  Walk trusting({.window = {0, kAll}, .check_crcs = false});
  EXPECT_TRUE(trusting.Add(set).ok());
}

TEST(RecordWalkerTest, RefusesBatchesThatLieAboutThemselves) {
  std::string old = Batch(0, {"a"});
  old[16] = 1;
  struct Case {
    std::string set;
    std::string message;
  };
  for (const Case& c : {Case{Batch(0, {"a"}, {.record_count = 2}), "cannot hold"},
                        Case{Batch(0, {"aaaaaaaaaa"}, {.record_count = 2}), "malformed record 1"},
                        Case{Batch(0, {"a", "b"}, {.last_delta = 0}), "malformed record 1"},
                        Case{Batch(0, {"a"}, {.codec = 6}), "unknown compression 6"},
                        Case{old, "before Kafka 0.11"}}) {
    Walk walk;
    const Status status = walk.Add(c.set);
    EXPECT_EQ(status.code(), StatusCode::kInternal);
    EXPECT_THAT(status.message(), HasSubstr(c.message));
    EXPECT_THAT(walk.values, IsEmpty());
  }
}

TEST(RecordWalkerTest, SurvivesAnyChangeOfOneByte) {
  std::mt19937 random(3);
  for (int codec = 0; codec <= 4; ++codec) {
    const std::string good = Batch(0, {"first", "second", std::string(300, 'z')}, {.codec = codec});
    for (size_t at = 0; at < good.size(); ++at) {
      std::string bad = good;
      bad[at] = static_cast<char>(random());
      Walk walk({.window = {0, kAll}, .columns = {true, true, true}, .check_crcs = false});
      const Status status = walk.Add(bad);
      EXPECT_TRUE(status.ok() || status.code() == StatusCode::kInternal);
    }
  }
}

TEST(RecordWalkerTest, RefusesBatchesThatUnpackWithoutEnd) {
  const std::string zeros(65 << 20, '\0');
  Walk walk;
  const Status status = walk.Add(Batch(0, {zeros}, {.codec = 4}));
  EXPECT_EQ(status.code(), StatusCode::kInternal);
  EXPECT_THAT(status.message(), HasSubstr("holds more than 67108864 bytes"));
}

TEST(RecordWalkerTest, KeepsPayloadsPadded) {
  Walk walk;
  ASSERT_TRUE(walk.Add(Batch(0, {"a"}, {.codec = 3}) + Batch(1, {"b"})).ok());
  for (const std::string_view value : walk.calls.at(0).values) {
    char copy[kKafkaPadding];
    std::memcpy(copy, value.data() + value.size(), sizeof copy);
    EXPECT_NE(copy[0], value[0]);
  }
}

TEST(RecordWalkerTest, StopsWhereTheVisitorFails) {
  const KafkaVisitor visitor = [](KafkaRecords) { return AbortedError("enough"); };
  auto pool = BufferPool::Create();
  RecordWalker walker({.window = {0, kAll}}, pool, &visitor);
  const std::string set = Batch(0, {"a"});
  KafkaBuffer buffer = pool->Take(set.size());
  std::memcpy(buffer.data.get(), set.data(), set.size());
  EXPECT_EQ(walker.Walk(buffer.view(), buffer.data, {}).message(), "enough");
  EXPECT_EQ(walker.next_offset(), 0);
}

}  // namespace
}  // namespace millrace::worker
