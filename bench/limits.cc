#include <simdjson.h>
#include <xxhash.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <fstream>
#include <functional>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

// What this machine can do at best with the bytes of a job's input, on one core and without an
// engine around it:
//   limits copy FILE     memcpy of the file in blocks of 64 KiB
//   limits lines FILE    finding every line break
//   limits words FILE    splitting lines at spaces and counting words in an open-addressing table
//   limits json FILE     parsing every line with simdjson on demand and reading four fields
//   limits keys N        N increments in a table of 100,000 groups picked by hash
// Prints "<items> <CPU seconds>" of the fastest of five passes.
namespace {

constexpr int kPasses = 5;
constexpr size_t kBlock = 64 * 1024;
constexpr size_t kSlots = size_t{1} << 18;
constexpr uint64_t kGroups = 100'000;

double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

uint64_t Copy(const std::string& text) {
  std::vector<char> block(kBlock);
  uint64_t sum = 0;
  for (size_t at = 0; at < text.size(); at += kBlock) {
    const size_t size = std::min(kBlock, text.size() - at);
    std::memcpy(block.data(), text.data() + at, size);
    sum += static_cast<uint8_t>(block[size / 2]);
  }
  return sum == 0 ? 0 : text.size();
}

uint64_t Lines(const std::string& text) {
  uint64_t lines = 0;
  const char* at = text.data();
  const char* const end = at + text.size();
  while ((at = static_cast<const char*>(std::memchr(at, '\n', static_cast<size_t>(end - at)))) !=
         nullptr) {
    ++lines;
    if (++at == end) break;
  }
  return lines;
}

struct Slot {
  uint64_t hash = 0;
  int64_t count = 0;
  std::string_view word;
};

void CountWord(std::string_view word, std::vector<Slot>* slots) {
  const uint64_t hash = XXH3_64bits(word.data(), word.size()) | 1;
  size_t at = hash & (kSlots - 1);
  while ((*slots)[at].hash != 0 && ((*slots)[at].hash != hash || (*slots)[at].word != word))
    at = (at + 1) & (kSlots - 1);
  (*slots)[at].hash = hash;
  (*slots)[at].word = word;
  ++(*slots)[at].count;
}

uint64_t Words(const std::string& text) {
  std::vector<Slot> slots(kSlots);
  uint64_t words = 0;
  size_t begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != ' ' && text[i] != '\n') continue;
    CountWord(std::string_view(text).substr(begin, i - begin), &slots);
    begin = i + 1;
    ++words;
  }
  return words;
}

uint64_t Json(const std::string& padded) {
  simdjson::ondemand::parser parser;
  uint64_t records = 0;
  int64_t sum = 0;
  const size_t size = padded.size() - simdjson::SIMDJSON_PADDING;
  for (size_t begin = 0; begin < size;) {
    const size_t end = padded.find('\n', begin);
    simdjson::ondemand::document document =
        parser.iterate(padded.data() + begin, end - begin, padded.size() - begin);
    sum += static_cast<int64_t>(std::string_view(document["user"]).size() +
                                std::string_view(document["type"]).size());
    sum += int64_t(document["amount"]);
    sum += static_cast<int64_t>(std::string_view(document["at"]).size());
    ++records;
    begin = end + 1;
  }
  return sum == 0 ? 0 : records;
}

uint64_t Keys(uint64_t count) {
  std::vector<int64_t> counts(kGroups);
  for (uint64_t i = 0; i < count; ++i) ++counts[XXH3_64bits(&i, sizeof i) % kGroups];
  return counts[0] < 0 ? 0 : count;
}

void Measure(const std::function<uint64_t()>& pass) {
  double best = 1e9;
  uint64_t items = 0;
  for (int i = 0; i < kPasses; ++i) {
    const double begin = CpuSeconds();
    items = pass();
    best = std::min(best, CpuSeconds() - begin);
  }
  std::printf("%llu %.6f\n", static_cast<unsigned long long>(items), best);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string what = argv[1];
  if (what == "keys") {
    const uint64_t count = std::stoull(argv[2]);
    Measure([&] { return Keys(count); });
    return 0;
  }
  std::ifstream file(argv[2], std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  if (text.empty()) return 1;
  if (what == "copy") Measure([&] { return Copy(text); });
  if (what == "lines") Measure([&] { return Lines(text); });
  if (what == "words") Measure([&] { return Words(text); });
  if (what == "json") {
    text.append(simdjson::SIMDJSON_PADDING, '\0');
    Measure([&] { return Json(text); });
  }
  return 0;
}
