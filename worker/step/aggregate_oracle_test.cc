#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>
#include <set>

#include "worker/step/aggregate_harness.h"

// Random streams with disorder and late records through every window, against a slow and plain
// model.
namespace millrace::worker {
namespace {

using std::chrono::seconds;

constexpr int kBatches = 20;

struct Seen {
  TestRecord record;
  int batch = 0;
};
struct Stream {
  std::vector<TestBatch> batches;
  std::vector<int64_t> watermarks;  // of batch i
};

Stream RandomStream(uint32_t seed, size_t units) {
  std::mt19937 random(seed);
  const auto pick = [&random](int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random);
  };
  Stream stream;
  int64_t watermark = 0;
  for (int b = 0; b < kBatches; ++b) {
    const int64_t base = 100 + b * 3;
    TestBatch batch(units);
    for (auto& records : batch) {
      for (int64_t i = pick(0, 12); i > 0; --i) {
        TestRecord record{std::string(1, static_cast<char>('a' + pick(0, 3))),
                          base + pick(-14, 8),
                          pick(-5, 9),
                          {}};
        record.item = std::string(1, static_cast<char>('p' + pick(0, 4)));
        if (pick(0, 9) == 0) record.amount.reset();
        records.push_back(record);
      }
    }
    watermark = std::max(watermark, base + pick(-12, 0));
    stream.batches.push_back(std::move(batch));
    stream.watermarks.push_back(watermark);
  }
  return stream;
}

std::string Time(int64_t at) { return JsonQuote(FormatRfc3339(At(at))); }

template <typename T>
std::string OrNull(const std::optional<T>& value) {
  return value ? std::to_string(*value) : "null";
}

// Records in order of arrival -> the values of Values() as JSON members.
std::string Model(const std::vector<TestRecord>& arrived) {
  std::vector<TestRecord> records = arrived;
  std::stable_sort(records.begin(), records.end(),
                   [](const auto& a, const auto& b) { return a.seconds < b.seconds; });
  std::optional<int64_t> sum, low;
  std::string best = "null", collected, set, counts, top;
  std::optional<int64_t> best_amount;
  std::map<std::string, int64_t> items;
  int64_t big = 0, quarters = 0;
  for (const TestRecord& record : records) {
    ++items[record.item];
    if (!record.amount) continue;
    sum = sum.value_or(0) + *record.amount;
    quarters += *record.amount;
    low = std::min(low.value_or(*record.amount), *record.amount);
    big += *record.amount > 5 ? 1 : 0;
    collected += (collected.empty() ? "" : ",") + std::to_string(*record.amount);
    if (best_amount && *record.amount <= *best_amount) continue;
    best_amount = record.amount;
    best = JsonQuote(record.item);
  }
  std::vector<std::pair<int64_t, std::string>> order;
  for (const auto& [item, count] : items) {
    set += (set.empty() ? "" : ",") + JsonQuote(item);
    counts += (counts.empty() ? "" : ",") + JsonQuote(item) + ":" + std::to_string(count);
    order.emplace_back(-count, item);
  }
  std::sort(order.begin(), order.end());
  for (size_t i = 0; i < std::min<size_t>(2, order.size()); ++i) {
    top += std::string(i == 0 ? "" : ",") + "{\"value\":" + JsonQuote(order[i].second) +
           ",\"count\":" + std::to_string(-order[i].first) + "}";
  }
  return "\"a\":" + best + ",\"b\":" + std::to_string(big) + ",\"c\":[" + collected +
         "],\"d\":" + std::to_string(items.size()) + ",\"e\":[" + set +
         "],\"f\":" + JsonQuote(records.front().item) + ",\"k\":{" + counts +
         "},\"l\":" + JsonQuote(records.back().item) + ",\"m\":" + OrNull(low) +
         ",\"n\":" + std::to_string(records.size()) + ",\"q\":" + std::to_string(quarters) +
         ",\"s\":" + OrNull(sum) + ",\"t\":[" + top + "]";
}

api::ExpressionMap Values() {
  return {{"a", "argMax(item, amount)"},  {"b", "countIf(amount != null && amount > 5)"},
          {"c", "collect(amount)"},       {"d", "countDistinct(item)"},
          {"e", "collectSet(item)"},      {"f", "first(item)"},
          {"k", "counts(item)"},          {"l", "last(item)"},
          {"m", "min(amount)"},           {"n", "count()"},
          {"q", "int(sum(price) * 4.0)"}, {"s", "sum(amount)"},
          {"t", "topK(item, 2)"}};
}
// All of them leave no trace when taken out: sliding windows use running totals.
api::ExpressionMap ExactValues() {
  return {{"k", "counts(item)"}, {"n", "count()"}, {"s", "sum(amount)"}};
}
std::string ExactModel(const std::vector<TestRecord>& records) {
  const std::string all = Model(records);
  const auto part = [&all](const std::string& from, const std::string& to) {
    const size_t begin = all.rfind(from);
    return all.substr(begin, all.rfind(to) - begin);
  };
  return part("\"k\":", ",\"l\":") + "," + part("\"n\":", ",\"q\":") + "," +
         part("\"s\":", ",\"t\":");
}

using ModelFn = std::function<std::string(const std::vector<TestRecord>&)>;
using Rows = std::vector<std::string>;

std::string Row(const std::string& key, int64_t start, int64_t end, const std::string& values) {
  return "{\"user\":" + JsonQuote(key) + ",\"windowStart\":" + Time(start) +
         ",\"windowEnd\":" + Time(end) + "," + values + "}";
}

// Windows on a grid. The last batch is the final one.
std::vector<Rows> GridModel(const Stream& stream, int64_t length, int64_t slide, api::Emit emit,
                            const ModelFn& model) {
  std::vector<Seen> seen;
  std::vector<Rows> result;
  int64_t previous = INT64_MIN;
  for (int b = 0; b < kBatches; ++b) {
    const bool final = b == kBatches - 1;
    const int64_t watermark = stream.watermarks[static_cast<size_t>(b)];
    const auto late = [&](int batch) {
      return batch == kBatches - 1 ? stream.watermarks[kBatches - 2]
                                   : stream.watermarks[static_cast<size_t>(batch)];
    };
    for (const auto& unit : stream.batches[static_cast<size_t>(b)]) {
      for (const TestRecord& record : unit) seen.push_back({record, b});
    }
    Rows rows;
    for (int64_t start = 60 / slide * slide; start < 260; start += slide) {
      const int64_t end = start + length;
      std::map<std::string, std::vector<TestRecord>> groups;
      std::set<std::string> changed;
      for (const Seen& record : seen) {
        if (record.record.seconds < start || record.record.seconds >= end ||
            end <= late(record.batch))
          continue;
        groups[record.record.user].push_back(record.record);
        if (record.batch == b) changed.insert(record.record.user);
      }
      const bool fires = end > previous && (final || end <= watermark);
      const bool open = end > late(b);
      for (const auto& [key, records] : groups) {
        const bool leaves = emit == api::Emit::kFinal
                                ? fires
                                : open && (emit == api::Emit::kAll || changed.contains(key));
        if (leaves) rows.push_back(Row(key, start, end, model(records)));
      }
    }
    previous = watermark;
    result.push_back(std::move(rows));
  }
  return result;
}

std::vector<Rows> SessionModel(const Stream& stream, int64_t gap, const ModelFn& model) {
  std::map<std::string, std::vector<TestRecord>> open;
  std::vector<Rows> result;
  for (int b = 0; b < kBatches; ++b) {
    const bool final = b == kBatches - 1;
    std::vector<std::tuple<int64_t, std::string, int64_t, std::string>> rows;
    const auto fire = [&](int64_t bound) {
      const auto first = static_cast<std::ptrdiff_t>(rows.size());
      for (auto& [key, records] : open) {
        std::vector<TestRecord> sorted = records, rest;
        std::stable_sort(sorted.begin(), sorted.end(),
                         [](const auto& x, const auto& y) { return x.seconds < y.seconds; });
        for (size_t from = 0; from < sorted.size();) {
          size_t to = from + 1;
          while (to < sorted.size() && sorted[to].seconds - sorted[to - 1].seconds <= gap) ++to;
          const std::vector<TestRecord> session(sorted.begin() + static_cast<std::ptrdiff_t>(from),
                                                sorted.begin() + static_cast<std::ptrdiff_t>(to));
          const int64_t end = session.back().seconds + gap;
          if (end < bound) {
            rows.emplace_back(end, key, session.front().seconds, model(session));
          } else {
            rest.insert(rest.end(), session.begin(), session.end());
          }
          from = to;
        }
        records = rest;
      }
      std::sort(rows.begin() + first, rows.end());
    };
    const int64_t late = stream.watermarks[static_cast<size_t>(final ? b - 1 : b)];
    fire(late);
    for (const auto& unit : stream.batches[static_cast<size_t>(b)]) {
      for (const TestRecord& record : unit) {
        if (record.seconds + gap >= late) open[record.user].push_back(record);
      }
    }
    fire(final ? INT64_MAX : stream.watermarks[static_cast<size_t>(b)]);
    Rows out;
    for (const auto& [end, key, start, values] : rows) out.push_back(Row(key, start, end, values));
    result.push_back(std::move(out));
  }
  return result;
}

std::vector<Rows> GlobalModel(const Stream& stream, bool since_start, const ModelFn& model) {
  std::map<std::string, std::vector<TestRecord>> groups;
  std::vector<Rows> result;
  for (const TestBatch& batch : stream.batches) {
    std::set<std::string> changed;
    if (!since_start) groups.clear();
    for (const auto& unit : batch) {
      for (const TestRecord& record : unit) {
        groups[record.user].push_back(record);
        changed.insert(record.user);
      }
    }
    Rows rows;
    for (const std::string& key : changed)
      rows.push_back("{\"user\":" + JsonQuote(key) + "," + model(groups[key]) + "}");
    result.push_back(std::move(rows));
  }
  return result;
}

// Windows that are full; then, by key, those that are not: all at the end, before that as `emit`
// says.
std::vector<Rows> CountModel(const Stream& stream, size_t length, size_t slide, api::Emit emit,
                             const ModelFn& model) {
  std::map<std::string, std::vector<TestRecord>> groups;
  std::vector<Rows> result;
  const auto row = [&](const std::string& key, size_t end, size_t virtual_end) {
    const auto& all = groups[key];
    const size_t begin = virtual_end > length ? virtual_end - length : 0;
    return "{\"user\":" + JsonQuote(key) + "," +
           model({all.begin() + static_cast<std::ptrdiff_t>(begin),
                  all.begin() + static_cast<std::ptrdiff_t>(end)}) +
           "}";
  };
  for (size_t b = 0; b < stream.batches.size(); ++b) {
    Rows rows;
    std::set<std::string> changed;
    for (const auto& unit : stream.batches[b]) {
      for (const TestRecord& record : unit) {
        changed.insert(record.user);
        auto& all = groups[record.user];
        all.push_back(record);
        if (all.size() % slide == 0) rows.push_back(row(record.user, all.size(), all.size()));
      }
    }
    for (const auto& [key, all] : groups) {
      const bool said = b + 1 == stream.batches.size() || emit == api::Emit::kAll ||
                        (emit == api::Emit::kChanges && changed.contains(key));
      if (!said || all.size() % slide == 0) continue;
      rows.push_back(row(key, all.size(), (all.size() / slide + 1) * slide));
    }
    result.push_back(std::move(rows));
  }
  return result;
}

struct Case {
  std::string name;
  api::Window window;
  std::optional<api::Emit> emit;
  std::function<std::vector<Rows>(const Stream&, const ModelFn&)> model;
};

std::vector<Case> Cases() {
  const auto grid = [](int64_t length, int64_t slide, api::Emit emit) {
    return [=](const Stream& stream, const ModelFn& model) {
      return GridModel(stream, length, slide, emit, model);
    };
  };
  const auto count = [](size_t length, size_t slide, api::Emit emit) {
    return [=](const Stream& stream, const ModelFn& model) {
      return CountModel(stream, length, slide, emit, model);
    };
  };
  const api::SlidingWindow even{seconds(12), seconds(4)}, odd{seconds(10), seconds(4)};
  using api::Emit;
  return {
      {"tumbling", api::TumblingWindow{seconds(10)}, {}, grid(10, 10, Emit::kFinal)},
      {"tumbling changes", api::TumblingWindow{seconds(10)}, Emit::kChanges,
       grid(10, 10, Emit::kChanges)},
      {"tumbling all", api::TumblingWindow{seconds(10)}, Emit::kAll, grid(10, 10, Emit::kAll)},
      {"sliding", even, {}, grid(12, 4, Emit::kFinal)},
      {"sliding uneven", odd, {}, grid(10, 4, Emit::kFinal)},
      {"sliding changes", odd, Emit::kChanges, grid(10, 4, Emit::kChanges)},
      {"sliding all", even, Emit::kAll, grid(12, 4, Emit::kAll)},
      {"session",
       api::SessionWindow{seconds(3)},
       {},
       [](const Stream& s, const ModelFn& m) { return SessionModel(s, 3, m); }},
      {"batch",
       api::BatchWindow{},
       {},
       [](const Stream& s, const ModelFn& m) { return GlobalModel(s, false, m); }},
      {"global",
       api::GlobalWindow{},
       {},
       [](const Stream& s, const ModelFn& m) { return GlobalModel(s, true, m); }},
      {"batch changes", api::BatchWindow{}, Emit::kChanges,
       [](const Stream& s, const ModelFn& m) { return GlobalModel(s, false, m); }},
      {"batch all", api::BatchWindow{}, Emit::kAll,
       [](const Stream& s, const ModelFn& m) { return GlobalModel(s, false, m); }},
      {"count", api::CountWindow{6, 4}, {}, count(6, 4, Emit::kFinal)},
      {"count whole", api::CountWindow{5, {}}, {}, count(5, 5, Emit::kFinal)},
      {"count changes", api::CountWindow{6, 4}, Emit::kChanges, count(6, 4, Emit::kChanges)},
      {"count every record", api::CountWindow{4, 1}, Emit::kChanges, count(4, 1, Emit::kChanges)},
      {"count all", api::CountWindow{5, {}}, Emit::kAll, count(5, 5, Emit::kAll)},
  };
}

// Output of all batches, as bytes too.
std::pair<std::vector<Rows>, std::string> Play(const KeyedStep& step, const Stream& stream,
                                               Handover handover, size_t records_per_add) {
  StepHarness harness(&step, handover, records_per_add);
  std::vector<Rows> result;
  for (size_t b = 0; b < stream.batches.size(); ++b) {
    result.push_back(
        harness.Run(stream.batches[b], stream.watermarks[b], b + 1 == stream.batches.size()));
  }
  EXPECT_TRUE(harness.status().ok()) << harness.status();
  return {result, harness.bytes()};
}

void Check(const Case& c, bool exact, uint32_t seed) {
  api::AggregateStep spec;
  spec.key = {"user"};
  spec.window = c.window;
  spec.emit = c.emit;
  spec.values = exact ? ExactValues() : Values();
  for (const int groups : {1, 5}) {
    api::Diagnostics diagnostics;
    const auto step = MakeAggregateStep(spec, TestEnv(&diagnostics, groups));
    ASSERT_NE(step, nullptr);
    for (const size_t units : {size_t{1}, size_t{3}}) {
      SCOPED_TRACE(c.name + ", seed " + std::to_string(seed) + ", groups " +
                   std::to_string(groups) + ", units " + std::to_string(units));
      const Stream stream = RandomStream(seed, units);
      std::vector<Rows> want = c.model(stream, exact ? ModelFn(ExactModel) : ModelFn(Model));
      auto [got, bytes] = Play(*step, stream, Handover::kKeep, 1000);
      for (size_t b = 0; b < want.size(); ++b) {
        if (groups > 1) {
          std::sort(want[b].begin(), want[b].end());
          std::sort(got[b].begin(), got[b].end());
        }
        ASSERT_EQ(got[b], want[b]) << "batch " << b;
      }
      EXPECT_EQ(Play(*step, stream, Handover::kSnapshot, 1000).second, bytes) << "after snapshots";
      EXPECT_EQ(Play(*step, stream, Handover::kDeltas, 3).second, bytes)
          << "after deltas, other chunks";
    }
  }
}

TEST(AggregateOracleTest, EveryWindowGivesWhatThePlainModelGives) {
  for (const uint32_t seed : {11u}) {
    for (const Case& c : Cases()) {
      Check(c, false, seed);
      Check(c, true, seed);
      if (HasFatalFailure()) return;
    }
  }
}

}  // namespace
}  // namespace millrace::worker
