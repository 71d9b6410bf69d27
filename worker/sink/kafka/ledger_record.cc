#include <algorithm>
#include <charconv>

#include "crds/base/text.h"
#include "worker/sink/kafka/ledger.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kMagic = "millrace-ledger 2";
constexpr std::string_view kOldMagic = "millrace-ledger 1";
constexpr std::string_view kSlotsMagic = "millrace-ledger-slots 1";
constexpr int kMaxUnits = 1 << 20;
constexpr int kMaxSlots = 1 << 16;

void AppendRange(int first, int last, std::string* out) {
  *out += " " + std::to_string(first);
  if (last > first) *out += "-" + std::to_string(last);
}

template <typename T>
bool ReadNumber(std::string_view text, T* number) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), *number);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size() && *number >= 0;
}

bool ReadRange(std::string_view text, const std::string& stage, std::set<SinkTask>* tasks) {
  const size_t dash = text.find('-');
  int first = 0;
  int last = 0;
  if (!ReadNumber(text.substr(0, dash), &first)) return false;
  last = first;
  if (dash != std::string_view::npos && !ReadNumber(text.substr(dash + 1), &last)) return false;
  if (last < first || last > kMaxUnits) return false;
  for (int unit = first; unit <= last; ++unit) tasks->insert({stage, unit});
  return true;
}

// "name value" of a line; false for another name.
bool ReadField(std::string_view line, std::string_view name, std::string_view* value) {
  if (!line.starts_with(name) || line.size() <= name.size() || line[name.size()] != ' ')
    return false;
  *value = line.substr(name.size() + 1);
  return true;
}

bool ReadTask(std::string_view line, std::set<SinkTask>* tasks) {
  std::string_view value;
  if (!ReadField(line, "task", &value)) return false;
  const std::vector<std::string_view> words = Split(value, ' ');
  if (words.size() < 2 || words[0].empty()) return false;
  for (size_t i = 1; i < words.size(); ++i) {
    if (!ReadRange(words[i], std::string(words[0]), tasks)) return false;
  }
  return true;
}

bool ReadSlots(std::string_view text, int64_t* slots) {
  const std::vector<std::string_view> lines = Split(text, '\n');
  std::string_view value;
  return lines.size() == 3 && lines[0] == kSlotsMagic && ReadField(lines[1], "slots", &value) &&
         ReadNumber(value, slots) && *slots <= kMaxSlots;
}

int64_t FenceOf(std::string_view generation) {
  int64_t fence = 0;
  (void)std::from_chars(generation.data(), generation.data() + generation.size(), fence);
  return fence;
}

}  // namespace

std::string LedgerRecord::Format() const {
  std::string text = std::string(kMagic) + "\nbatch " + std::to_string(batch) + "\ndigest " +
                     digest + "\ngeneration " + generation + "\nsince " + since + "\n";
  for (auto task = tasks.begin(); task != tasks.end();) {
    const std::string& stage = task->stage;
    text += "task " + stage;
    while (task != tasks.end() && task->stage == stage) {
      const int first = task->unit;
      int last = first;
      while (++task != tasks.end() && task->stage == stage && task->unit == last + 1) ++last;
      AppendRange(first, last, &text);
    }
    text += "\n";
  }
  return text;
}

Result<LedgerRecord> LedgerRecord::Parse(std::string_view text) {
  const Status bad = InternalError("this is no ledger record: " + Excerpt(text));
  const std::vector<std::string_view> lines = Split(text, '\n');
  std::string_view batch, digest, generation, since;
  const bool old = lines[0] == kOldMagic;
  const size_t head = old ? 4 : 5;
  if (lines.size() <= head || (!old && lines[0] != kMagic) || !lines.back().empty() ||
      !ReadField(lines[1], "batch", &batch) || !ReadField(lines[2], "digest", &digest) ||
      !ReadField(lines[3], "generation", &generation) ||
      (!old && !ReadField(lines[4], "since", &since))) {
    return bad;
  }
  LedgerRecord record{0, std::string(digest), std::string(generation), {}, ""};
  record.since = old ? generation : since;
  if (!ReadNumber(batch, &record.batch)) return bad;
  for (size_t i = head; i + 1 < lines.size(); ++i) {
    if (!ReadTask(lines[i], &record.tasks)) return bad;
  }
  return record;
}

std::string FormatLedgerSlots(int64_t slots) {
  return std::string(kSlotsMagic) + "\nslots " + std::to_string(slots) + "\n";
}

Result<LedgerView> LedgerView::Parse(const std::map<std::string, std::string>& records) {
  LedgerView view;
  for (const auto& [key, text] : records) {
    int slot = 0;
    if (key == kLedgerSlotsKey) {
      if (!ReadSlots(text, &view.slots)) {
        return InternalError("this is no number of slots: " + Excerpt(text));
      }
    } else if (ReadNumber(key, &slot) && slot < kMaxSlots) {
      ASSIGN_OR_RETURN(view.records[slot], LedgerRecord::Parse(text));
    } else {
      return InternalError("a ledger has no key \"" + Excerpt(key) + "\"");
    }
  }
  return view;
}

Result<SinkLedger> LedgerView::Sum(const std::string& generation) const {
  SinkLedger sum;
  sum.keeps = true;
  sum.missing = true;
  sum.slots = records.empty() ? slots : std::max<int64_t>(slots, records.rbegin()->first + 1);
  for (const auto& [slot, record] : records) {
    sum.batch = std::max(sum.batch, record.batch);
    sum.fence = std::max(sum.fence, FenceOf(record.generation));
    if (record.batch > 0 || record.since != generation) sum.missing = false;
  }
  std::set<SinkTask> tasks;
  for (const auto& [slot, record] : records) {
    if (record.batch != sum.batch || record.batch == 0) continue;
    if (!sum.digest.empty() && sum.digest != record.digest) {
      return InternalError("StateRolledBack: two slots hold batch " + std::to_string(sum.batch) +
                           " with the digests " + sum.digest + " and " + record.digest +
                           "; they come from different histories of the job");
    }
    sum.digest = record.digest;
    tasks.insert(record.tasks.begin(), record.tasks.end());
  }
  sum.tasks.assign(tasks.begin(), tasks.end());
  return sum;
}

}  // namespace millrace::worker
