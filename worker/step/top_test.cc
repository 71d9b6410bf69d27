#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

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

TEST(TopTest, GlobalUpdatesWithdrawWhatIsNotWhereItWas) {
  const auto step = Make(Top(api::GlobalWindow{}, 3));
  EXPECT_THAT(step->update_key(), ElementsAre("__place"));
  StepHarness stream(step.get(), Handover::kDeltas);
  EXPECT_THAT(Brief(stream.Run({{{"a", 0, 1}, {"b", 0, 3}, {"c", 0, 2}}}, 0)),
              ElementsAre("\"b\" 3 1", "\"c\" 2 2", "\"a\" 1 3"));
  EXPECT_THAT(Brief(stream.Run({{{"d", 0, 3}, {"e", 0, 3}}}, 0)),
              ElementsAre("-\"c\" 2 2", "-\"a\" 1 3", "\"b\" 3 1", "\"d\" 3 1", "\"e\" 3 1"));
  EXPECT_THAT(stream.Run({{{"f", 0, 0}}}, 0), IsEmpty());
}

TEST(TopTest, TiedRowsOfAnUpdatingStreamAllStayInATableThatReplaces) {
  api::TopStep spec = Top(api::GlobalWindow{}, 2);
  spec.ties = true;
  const auto step = Make(spec);
  StepHarness stream(step.get(), Handover::kSnapshot);
  (void)stream.Run({{{"a", 0, 5}, {"b", 0, 5}, {"c", 0, 5}}}, 0);
  EXPECT_THAT(Brief(stream.Live()), ElementsAre("\"a\" 5 1", "\"b\" 5 1", "\"c\" 5 1"));
  (void)stream.Run({{{"d", 0, 9}, {"e", 0, 8}}}, 0);
  EXPECT_THAT(Brief(stream.Live()), ElementsAre("\"d\" 9 1", "\"e\" 8 2"));
}

TEST(TopTest, UpdatingBatchWindowReplacesTheRowsOfTheBatchBefore) {
  api::TopStep spec = Top(api::BatchWindow{}, 3, {"item"});
  spec.emit = api::Emit::kChanges;
  const auto step = Make(spec, 3);
  for (const Handover handover : {Handover::kKeep, Handover::kSnapshot, Handover::kDeltas}) {
    StepHarness stream(step.get(), handover);
    (void)stream.Run({{{"a", 0, 5, "p"}, {"b", 0, 4, "p"}, {"c", 0, 3, "p"}, {"d", 0, 9, "q"}}}, 0);
    (void)stream.Run({{{"e", 0, 1, "p"}}}, 0);
    (void)stream.Run({{}}, 0);
    EXPECT_THAT(Brief(stream.Live()), ElementsAre("\"d\" 9 1", "\"e\" 1 1"));
  }
}

TEST(TopTest, GlobalTtlDropsIdleKeysAndCountsThem) {
  api::TopStep spec = Top(api::GlobalWindow{seconds(3)}, 1, {"item"});
  spec.time = api::TimeDomain::kProcessing;
  const auto step = Make(spec, 2);
  for (const Handover handover : {Handover::kKeep, Handover::kSnapshot, Handover::kDeltas}) {
    StepHarness stream(step.get(), handover);
    EXPECT_THAT(Brief(stream.Run({{{"a", 0, 9, "p"}, {"b", 0, 9, "q"}}}, 0)), testing::SizeIs(2));
    // A record that is not good enough to be ranked keeps its key too.
    EXPECT_THAT(stream.Run({{{"c", 0, 1, "p"}}}, 0), IsEmpty());
    EXPECT_THAT(stream.Run({{}}, 0), IsEmpty());
    EXPECT_THAT(stream.Run({{}}, 0), IsEmpty());
    EXPECT_EQ(stream.keys(), 1);
    EXPECT_EQ(stream.report().expired_keys, 1);
    EXPECT_THAT(Brief(stream.Run({{{"d", 0, 2, "q"}}}, 0)), ElementsAre("\"d\" 2 1"));
  }
}

TEST(TopTest, GlobalTtlFollowsTheWatermarkInEventTime) {
  const auto step = Make(Top(api::GlobalWindow{seconds(5)}, 1, {"item"}));
  StepHarness stream(step.get(), Handover::kDeltas);
  (void)stream.Run({{{"a", 100, 9, "p"}}}, std::nullopt);  // the clock has not begun
  (void)stream.Run({{}}, 100);
  EXPECT_EQ(stream.keys(), 1);
  (void)stream.Run({{}}, 104);
  EXPECT_EQ(stream.keys(), 1);
  (void)stream.Run({{}}, 105);
  EXPECT_EQ(stream.keys(), 0);
}

// The rows that a table holds, by place, by rank or by user, after every batch of a random stream.
TEST(TopTest, TablesFedByUpdatesHoldTheTopOfAllRecords) {
  std::mt19937 random(11);
  api::TopStep spec = Top(api::GlobalWindow{}, 4);
  for (const bool ties : {false, true}) {
    spec.ties = ties;
    const auto step = Make(spec);
    StepHarness stream(step.get(), Handover::kDeltas);
    std::vector<std::pair<int64_t, std::string>> all;
    for (int b = 0; b < 30; ++b) {
      TestBatch batch(1);
      for (int64_t i = static_cast<int64_t>(random() % 4); i > 0; --i) {
        const std::string user = "u" + std::to_string(all.size());
        batch[0].push_back({user, 0, static_cast<int64_t>(random() % 12)});
        all.emplace_back(*batch[0].back().amount, user);
      }
      (void)stream.Run(batch, 0);
      std::vector<std::pair<int64_t, std::string>> best = all;
      std::stable_sort(best.begin(), best.end(),
                       [](const auto& x, const auto& y) { return x.first > y.first; });
      std::vector<std::string> want;
      std::set<size_t> ranks;
      size_t rank = 0;
      for (size_t i = 0; i < best.size(); ++i) {
        if (i == 0 || best[i].first != best[i - 1].first) rank = i + 1;
        if (ties ? rank > 4 : i >= 4) break;
        ranks.insert(rank);
        want.push_back(JsonQuote(best[i].second) + " " + std::to_string(best[i].first) + " " +
                       std::to_string(rank));
      }
      EXPECT_THAT(Brief(stream.Live()), testing::UnorderedElementsAreArray(want));
      EXPECT_THAT(Brief(stream.Live({"user"})), testing::UnorderedElementsAreArray(want));
      EXPECT_EQ(stream.Live({"rank"}).size(), ranks.size());
    }
  }
}

TEST(TopTest, BatchWindowLeavesOutRowsThatAnUpdatingStreamDeleted) {
  api::Diagnostics diagnostics;
  StepEnv env = TestEnv(&diagnostics, 1);
  Schema schema = TestSchema();
  schema.Set({std::string(kDeletedField), Type(Kind::kBool)});
  env.input.schema = schema;
  env.input.updating = true;
  const auto step = MakeTopStep(Top(api::BatchWindow{}, 3), env);
  ASSERT_NE(step, nullptr);
  const RecordBatch records = MakeRecords({{"a", 0, 5}, {"b", 0, 9}});
  auto deleted = std::make_shared<Column>(Type(Kind::kBool));
  deleted->AppendBool(false);
  deleted->AppendBool(true);
  std::vector<ColumnRef> columns = records.columns();
  columns.push_back(deleted);
  BatchContext context;
  TaskReport report;
  TaskRun run;
  run.context = &context;
  run.report = &report;
  const auto writer = step->MakeWriter(0);
  ASSERT_TRUE(writer->Add(RecordBatch(std::make_shared<Schema>(schema), columns, 2), &run).ok());
  size_t sent = 0;
  ASSERT_TRUE(writer->Finish(&run, [&](int, RecordBatch rows) { sent += rows.num_rows(); }).ok());
  EXPECT_EQ(sent, 1u);
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
