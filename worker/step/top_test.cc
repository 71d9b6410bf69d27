#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "worker/step/aggregate_harness.h"

namespace millrace::worker {
namespace {

using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

api::TopStep Top(api::Window window, int64_t limit, std::vector<std::string> key = {}) {
  api::TopStep spec;
  spec.window = window;
  spec.limit = limit;
  spec.key = std::move(key);
  spec.order_by = {{"amount", api::OrderBy::Direction::kDescending}};
  return spec;
}

std::unique_ptr<KeyedStep> Make(const api::TopStep& spec, int groups = 1) {
  api::Diagnostics diagnostics;
  auto step = MakeTopStep(spec, TestEnv(&diagnostics, groups));
  for (const auto& d : diagnostics) ADD_FAILURE() << d.path << ": " << d.message;
  return step;
}

// "user amount rank" of each row.
std::vector<std::string> Brief(const std::vector<std::string>& rows) {
  std::vector<std::string> result;
  const auto value = [](const std::string& row, const std::string& name) {
    const size_t begin = row.find("\"" + name + "\":") + name.size() + 3;
    return row.substr(begin, row.find_first_of(",}", begin) - begin);
  };
  for (const std::string& row : rows) {
    result.push_back((row[0] == '-' ? "-" : "") + value(row, "user") + " " + value(row, "amount") +
                     " " + value(row, "rank"));
  }
  return result;
}

TEST(TopTest, RanksTheRowsOfEveryBatch) {
  const auto step = Make(Top(api::BatchWindow{}, 2));
  StepHarness stream(step.get(), Handover::kKeep);
  EXPECT_THAT(Brief(stream.Run({{{"a", 0, 5}, {"b", 0, 9}}, {{"c", 0, 7}, {"d", 0, 1}}}, 0)),
              ElementsAre("\"b\" 9 1", "\"c\" 7 2"));
  EXPECT_THAT(Brief(stream.Run({{{"a", 0, 1}}}, 0)), ElementsAre("\"a\" 1 1"));
}

TEST(TopTest, TiesShareTheirRankAndStayWhenAsked) {
  api::TopStep spec = Top(api::BatchWindow{}, 2);
  const TestBatch batch = {{{"a", 0, 5}, {"b", 0, 9}, {"c", 0, 5}, {"d", 0, 9}, {"e", 0, 9}}};
  const auto cut = Make(spec);
  StepHarness first(cut.get(), Handover::kKeep);
  EXPECT_THAT(Brief(first.Run(batch, 0)), ElementsAre("\"b\" 9 1", "\"d\" 9 1"));
  spec.ties = true;
  spec.limit = 4;
  const auto ties = Make(spec);
  StepHarness second(ties.get(), Handover::kKeep);
  EXPECT_THAT(Brief(second.Run(batch, 0)),
              ElementsAre("\"b\" 9 1", "\"d\" 9 1", "\"e\" 9 1", "\"a\" 5 4", "\"c\" 5 4"));
}

TEST(TopTest, GlobalUpdatesWithdrawRanksThatAreGone) {
  api::TopStep spec = Top(api::GlobalWindow{}, 3);
  const auto step = Make(spec);
  EXPECT_THAT(step->update_key(), ElementsAre("rank"));
  StepHarness stream(step.get(), Handover::kDeltas);
  EXPECT_THAT(Brief(stream.Run({{{"a", 0, 1}, {"b", 0, 3}, {"c", 0, 2}}}, 0)),
              ElementsAre("\"b\" 3 1", "\"c\" 2 2", "\"a\" 1 3"));
  EXPECT_THAT(Brief(stream.Run({{{"d", 0, 3}, {"e", 0, 3}}}, 0)),
              ElementsAre("\"b\" 3 1", "\"d\" 3 1", "\"e\" 3 1", "-\"e\" 3 2", "-\"e\" 3 3"));
  EXPECT_THAT(stream.Run({{{"f", 0, 0}}}, 0), IsEmpty());
}

TEST(TopTest, RefusesWindowsItCannotRank) {
  api::Diagnostics diagnostics;
  EXPECT_EQ(MakeTopStep(Top(api::SessionWindow{seconds(3)}, 2), TestEnv(&diagnostics, 4)), nullptr);
  EXPECT_THAT(diagnostics.at(0).message, HasSubstr("top takes batch, global, tumbling or sliding"));
}

// Every window of a random stream, by sorting all of its records.
TEST(TopTest, SlidingWindowsRankWhatSortingAllRecordsRanks) {
  const auto step = Make(Top(api::SlidingWindow{seconds(12), seconds(4)}, 3, {"item"}));
  std::mt19937 random(7);
  std::vector<TestBatch> batches;
  std::map<std::pair<int64_t, std::string>, std::vector<TestRecord>> windows;
  for (int64_t b = 0; b < 12; ++b) {
    TestBatch batch(2);
    for (auto& unit : batch) {
      for (int i = 0; i < 10; ++i) {
        TestRecord record{std::string(1, static_cast<char>('a' + i)),
                          100 + b * 3 + static_cast<int64_t>(random() % 3),
                          static_cast<int64_t>(random() % 8), random() % 2 == 0 ? "p" : "q"};
        unit.push_back(record);
        for (int64_t start = record.seconds / 4 * 4 - 8; start <= record.seconds; start += 4) {
          windows[{start, record.item}].push_back(record);
        }
      }
    }
    batches.push_back(batch);
  }
  std::vector<std::string> want;
  for (auto& [window, records] : windows) {
    std::stable_sort(records.begin(), records.end(),
                     [](const auto& x, const auto& y) { return x.amount > y.amount; });
    size_t rank = 0;
    for (size_t i = 0; i < std::min<size_t>(3, records.size()); ++i) {
      if (i == 0 || records[i].amount != records[i - 1].amount) rank = i + 1;
      want.push_back(JsonQuote(records[i].user) + " " + std::to_string(*records[i].amount) + " " +
                     std::to_string(rank));
    }
  }
  for (const Handover handover : {Handover::kKeep, Handover::kSnapshot, Handover::kDeltas}) {
    StepHarness stream(step.get(), handover, handover == Handover::kKeep ? 1000 : 4);
    std::vector<std::string> got;
    for (size_t b = 0; b < batches.size(); ++b) {
      const auto rows =
          Brief(stream.Run(batches[b], 98 + static_cast<int64_t>(b) * 3, b + 1 == batches.size()));
      got.insert(got.end(), rows.begin(), rows.end());
    }
    EXPECT_EQ(got, want);
  }
}

}  // namespace
}  // namespace millrace::worker
