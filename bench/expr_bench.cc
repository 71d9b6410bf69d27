// Cost of expressions per row over one batch: prints nanoseconds of CPU time. Run without
// arguments.
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <string>

#include "worker/data/column_testing.h"
#include "worker/expr/program.h"

namespace millrace::worker {
namespace {

constexpr size_t kRows = 16'384;
constexpr int kRounds = 30;

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

// Lines of 60 to 100 bytes: words of 2 to 9 letters, some capitals, some punctuation.
std::vector<std::optional<std::string>> Lines(std::mt19937_64* random) {
  std::vector<std::optional<std::string>> lines;
  for (size_t i = 0; i < kRows; ++i) {
    std::string line;
    for (const size_t size = 60 + (*random)() % 40; line.size() < size;) {
      for (size_t n = 2 + (*random)() % 8; n > 0; --n) {
        line += static_cast<char>(((*random)() % 8 == 0 ? 'A' : 'a') + (*random)() % 26);
      }
      line += (*random)() % 6 == 0 ? ", " : " ";
    }
    lines.emplace_back(std::move(line));
  }
  return lines;
}

RecordBatch Rows() {
  std::mt19937_64 random(1);
  std::vector<std::optional<std::string>> kinds;
  std::vector<std::optional<std::string>> users;
  std::vector<std::optional<int64_t>> prices;
  std::vector<std::optional<int64_t>> sequence;
  std::vector<std::optional<int64_t>> times;
  std::vector<double> temperatures;
  for (size_t i = 0; i < kRows; ++i) {
    const uint64_t draw = random() % 50;
    kinds.emplace_back(draw == 0 ? "person" : (draw < 4 ? "auction" : "bid"));
    users.emplace_back(random() % 4 == 0 ? "" : "user" + std::to_string(random() % 1000));
    prices.emplace_back(static_cast<int64_t>(random() % 100));
    sequence.emplace_back(static_cast<int64_t>(i));
    times.emplace_back(1'717'243'200'000'000 + static_cast<int64_t>(i) * 1000);
    temperatures.push_back(static_cast<double>(random() % 400) / 10);
  }
  return testing::Batch({{"value", testing::Strings(Lines(&random))},
                         {"kind", testing::Strings(kinds)},
                         {"user", testing::Strings(users)},
                         {"price", testing::Ints(prices)},
                         {"seq", testing::Ints(sequence)},
                         {"at", testing::Ints(times, Kind::kTimestamp)},
                         {"temp", testing::Doubles(temperatures)}});
}

void Measure(const RecordBatch& batch, const char* text) {
  std::vector<ExprError> errors;
  const auto program = Program::Compile(text, {batch.schema(), {}}, &errors);
  if (!program.ok()) {
    std::printf("%s: %s\n", text, program.status().message().c_str());
    return;
  }
  double best = 1e9;
  size_t elements = 0;
  std::vector<BadRecord> bad;
  for (int round = 0; round < kRounds; ++round) {
    const double begin = CpuSeconds();
    const ColumnRef column = (*program)->Evaluate(batch, nullptr, &bad);
    best = std::min(best, CpuSeconds() - begin);
    if (column->kind() == Kind::kList) elements = column->children[0]->size();
  }
  std::printf("%8.2f ns/row", best / kRows * 1e9);
  if (elements > 0) std::printf("  %6.1f M elements/s", static_cast<double>(elements) / best / 1e6);
  std::printf("  %s\n", text);
}

void MeasureSelect(const RecordBatch& batch, const char* text) {
  std::vector<ExprError> errors;
  const auto program = Program::Compile(text, {batch.schema(), {}}, &errors);
  double best = 1e9;
  std::vector<BadRecord> bad;
  std::vector<uint32_t> rows;
  for (int round = 0; round < kRounds && program.ok(); ++round) {
    rows.clear();
    const double begin = CpuSeconds();
    (*program)->Select(batch, nullptr, &rows, &bad);
    best = std::min(best, CpuSeconds() - begin);
  }
  std::printf("%8.2f ns/row  %zu rows  filter %s\n", best / kRows * 1e9, rows.size(), text);
}

}  // namespace
}  // namespace millrace::worker

int main() {
  const millrace::worker::RecordBatch batch = millrace::worker::Rows();
  for (const char* text :
       {"kind == \"bid\"", "price * 2 > 100 && user != \"\"", "kind in [\"bid\", \"auction\"]",
        "value.contains(\"spark\")", "value.matches(\"s[pt]ark\")"}) {
    millrace::worker::MeasureSelect(batch, text);
  }
  for (const char* text :
       {"value.lowerAscii().splitRegex(\"\\\\W+\")", "value.split(\" \")", "value.lowerAscii()",
        "hash(seq) % 100000", "hash(user)", "price * 2 + seq", "temp * 1.8 + 32.0",
        "temp > 30.0 ? \"hot\" : \"cold\"", "kind + \":\" + user", "string(price)",
        "tumble(at, duration(\"10s\"))", "at.getHours()", "size(value)",
        "[price, seq].filter(x, x > 50).size() + price"}) {
    millrace::worker::Measure(batch, text);
  }
  return 0;
}
