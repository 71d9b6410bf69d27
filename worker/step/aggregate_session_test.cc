#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "worker/step/aggregate_harness.h"

// What a session holds depends on the records, not on how they fell into batches and units.
namespace millrace::worker {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kGap = 5;
constexpr int64_t kMaxLength = 20;

std::unique_ptr<KeyedStep> Sessions(std::optional<api::Emit> emit, int groups = 2) {
  api::AggregateStep spec;
  spec.key = {"user"};
  spec.window = api::SessionWindow{seconds(kGap), seconds(kMaxLength)};
  spec.emit = emit;
  spec.values = {{"c", "collect(amount)"}, {"n", "count()"}};
  api::Diagnostics diagnostics;
  auto step = MakeAggregateStep(spec, TestEnv(&diagnostics, groups));
  for (const auto& d : diagnostics) ADD_FAILURE() << d.path << ": " << d.message;
  return step;
}

// Sessions of all records: chains, and those that are too long cut at multiples of the length.
std::vector<std::string> Model(const std::vector<TestRecord>& records) {
  std::map<std::string, std::vector<TestRecord>> by_user;
  for (const TestRecord& record : records) by_user[record.user].push_back(record);
  std::vector<std::string> rows;
  for (auto& [user, all] : by_user) {
    std::stable_sort(all.begin(), all.end(),
                     [](const auto& a, const auto& b) { return a.seconds < b.seconds; });
    for (size_t from = 0; from < all.size();) {
      size_t to = from + 1;
      while (to < all.size() && all[to].seconds - all[to - 1].seconds <= kGap) ++to;
      const bool cut = all[to - 1].seconds - all[from].seconds > kMaxLength;
      for (size_t begin = from; begin < to;) {
        size_t end = begin + 1;
        while (end < to &&
               (!cut || all[end].seconds / kMaxLength == all[begin].seconds / kMaxLength)) {
          ++end;
        }
        std::string amounts;
        for (size_t i = begin; i < end; ++i) {
          amounts += (i == begin ? "" : ",") + std::to_string(*all[i].amount);
        }
        rows.push_back("{\"user\":" + JsonQuote(user) + ",\"windowStart\":" +
                       JsonQuote(FormatRfc3339(At(all[begin].seconds))) + ",\"windowEnd\":" +
                       JsonQuote(FormatRfc3339(At(all[end - 1].seconds + kGap))) + ",\"c\":[" +
                       amounts + "],\"n\":" + std::to_string(end - begin) + "}");
        begin = end;
      }
      from = to;
    }
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

// Records of two users with long and short pauses, at most `disorder` seconds out of order.
std::vector<TestRecord> RandomRecords(std::mt19937* random, int64_t disorder) {
  std::vector<std::pair<int64_t, TestRecord>> arrivals;
  int64_t time = 100;
  for (int64_t i = 0; i < 120; ++i) {
    time += static_cast<int64_t>((*random)() % 8 == 0 ? (*random)() % 12 : (*random)() % 3);
    const auto delay = static_cast<int64_t>((*random)() % static_cast<uint32_t>(disorder + 1));
    arrivals.push_back({time + delay, {(*random)() % 3 == 0 ? "b" : "a", time, i}});
  }
  std::stable_sort(arrivals.begin(), arrivals.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<TestRecord> records;
  for (const auto& [arrival, record] : arrivals) records.push_back(record);
  return records;
}

TEST(SessionTest, EverySplitIntoBatchesAndUnitsGivesTheSameSessions) {
  constexpr int64_t kDisorder = 7;
  const auto step = Sessions(std::nullopt);
  for (uint32_t seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    const std::vector<TestRecord> records = RandomRecords(&random, kDisorder);
    StepHarness stream(step.get(), static_cast<Handover>(seed % 3), 1 + random() % 9);
    std::vector<std::string> got;
    const auto run = [&](const TestBatch& batch, std::optional<int64_t> watermark, bool final) {
      const std::vector<std::string> rows = stream.Run(batch, watermark, final);
      got.insert(got.end(), rows.begin(), rows.end());
    };
    int64_t newest = 0;
    for (size_t i = 0; i < records.size();) {
      TestBatch batch(1 + random() % 3);
      // The watermark follows the records of the batches before.
      const std::optional<int64_t> watermark =
          newest == 0 ? std::nullopt : std::optional(newest - kDisorder);
      for (size_t size = random() % 30; size > 0 && i < records.size(); --size, ++i) {
        // A unit reads one run of the source; which one a record is in must not matter.
        batch[records[i].user == "a" ? 0 : batch.size() - 1].push_back(records[i]);
        newest = std::max(newest, records[i].seconds);
      }
      run(batch, watermark, false);
    }
    run({}, std::nullopt, true);
    std::sort(got.begin(), got.end());
    ASSERT_EQ(got, Model(records)) << "seed " << seed;
    EXPECT_EQ(stream.report().late_records, 0);
    EXPECT_EQ(stream.keys(), 0);
  }
}

TEST(SessionTest, UpdatesOfEverySplitEndInTheSameTable) {
  const auto step = Sessions(api::Emit::kChanges);
  for (uint32_t seed = 0; seed < 30; ++seed) {
    std::mt19937 random(seed);
    std::vector<TestRecord> records = RandomRecords(&random, 7);
    StepHarness stream(step.get(), static_cast<Handover>(seed % 3));
    for (size_t i = 0; i < records.size();) {
      TestBatch batch(1);
      for (size_t size = random() % 30; size > 0 && i < records.size(); --size, ++i) {
        batch[0].push_back(records[i]);
      }
      (void)stream.Run(batch, std::nullopt);
    }
    ASSERT_EQ(stream.Live(), Model(records)) << "seed " << seed;
  }
}

TEST(SessionTest, ShortSessionIsNotCutWhereALongOneWouldBe) {
  const auto step = Sessions(std::nullopt);
  StepHarness stream(step.get(), Handover::kSnapshot);
  (void)stream.Run({{{"a", 18}, {"a", 22}}}, 0);
  EXPECT_THAT(stream.Run({}, 40), ElementsAre(HasSubstr(R"("n":2)")));
}

TEST(SessionTest, RecordThatMakesASessionTooLongSplitsIt) {
  const auto step = Sessions(api::Emit::kChanges);
  StepHarness stream(step.get(), Handover::kDeltas);
  (void)stream.Run({{{"a", 16}, {"a", 20}, {"a", 25}, {"a", 30}, {"a", 35}}}, 0);
  EXPECT_THAT(stream.Live(), ElementsAre(HasSubstr(R"("n":5)")));
  EXPECT_THAT(stream.Run({{{"a", 11}}}, 0),
              ElementsAre(HasSubstr(R"("n":2)"), testing::StartsWith("-"), HasSubstr(R"("n":4)")));
}

// Parts of a long chain leave one by one, and what follows goes on being cut.
TEST(SessionTest, PartsOfALongSessionLeaveWithoutWaitingForItsEnd) {
  const auto step = Sessions(std::nullopt);
  StepHarness stream(step.get(), Handover::kDeltas);
  (void)stream.Run({{{"a", 2}, {"a", 6}, {"a", 10}, {"a", 15}, {"a", 19}, {"a", 23}}}, 0);
  EXPECT_THAT(stream.Run({{{"a", 27}}}, 25), ElementsAre(HasSubstr(R"("n":5)")));
  EXPECT_THAT(stream.Run({{{"a", 32}, {"a", 37}, {"a", 41}}}, 27), testing::IsEmpty());
  EXPECT_THAT(stream.Run({}, std::nullopt, true),
              ElementsAre(HasSubstr(R"("n":4)"), HasSubstr(R"("n":1)")));
}

}  // namespace
}  // namespace millrace::worker
