#include <charconv>

#include "crds/base/text.h"
#include "worker/sink/kafka/ledger.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kMagic = "millrace-ledger 1";
constexpr int kMaxUnits = 1 << 20;

void AppendRange(int first, int last, std::string* out) {
  *out += " " + std::to_string(first);
  if (last > first) *out += "-" + std::to_string(last);
}

template <typename T>
bool ReadNumber(std::string_view text, T* number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), *number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && *number >= 0;
}

bool ReadRange(std::string_view text, const std::string& stage, std::set<LedgerTask>* tasks) {
  const size_t dash = text.find('-');
  int first = 0;
  int last = 0;
  if (!ReadNumber(text.substr(0, dash), &first)) return false;
  last = first;
  if (dash != std::string_view::npos && !ReadNumber(text.substr(dash + 1), &last)) return false;
  if (last < first || last > kMaxUnits) return false;
  for (int unit = first; unit <= last; ++unit) tasks->emplace(stage, unit);
  return true;
}

// "name value" of a line; false for another name.
bool ReadField(std::string_view line, std::string_view name, std::string_view* value) {
  if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ')
    return false;
  *value = line.substr(name.size() + 1);
  return true;
}

bool ReadTask(std::string_view line, std::set<LedgerTask>* tasks) {
  std::string_view value;
  if (!ReadField(line, "task", &value)) return false;
  const std::vector<std::string_view> words = Split(value, ' ');
  if (words.size() < 2 || words[0].empty()) return false;
  for (size_t i = 1; i < words.size(); ++i) {
    if (!ReadRange(words[i], std::string(words[0]), tasks)) return false;
  }
  return true;
}

}  // namespace

std::string LedgerRecord::Format() const {
  std::string text = std::string(kMagic) + "\nbatch " + std::to_string(batch) + "\ndigest " +
                     digest + "\ngeneration " + generation + "\n";
  for (auto task = tasks.begin(); task != tasks.end();) {
    const std::string& stage = task->first;
    text += "task " + stage;
    while (task != tasks.end() && task->first == stage) {
      const int first = task->second;
      int last = first;
      while (++task != tasks.end() && task->first == stage && task->second == last + 1) ++last;
      AppendRange(first, last, &text);
    }
    text += "\n";
  }
  return text;
}

Result<LedgerRecord> LedgerRecord::Parse(std::string_view text) {
  const Status bad = InternalError("this is no ledger record: " + Excerpt(text));
  const std::vector<std::string_view> lines = Split(text, '\n');
  std::string_view batch, digest, generation;
  if (lines.size() < 5 || lines[0] != kMagic || !lines.back().empty() ||
      !ReadField(lines[1], "batch", &batch) || !ReadField(lines[2], "digest", &digest) ||
      !ReadField(lines[3], "generation", &generation)) {
    return bad;
  }
  LedgerRecord record{0, std::string(digest), std::string(generation), {}};
  if (!ReadNumber(batch, &record.batch)) return bad;
  for (size_t i = 4; i + 1 < lines.size(); ++i) {
    if (!ReadTask(lines[i], &record.tasks)) return bad;
  }
  return record;
}

}  // namespace millrace::worker
