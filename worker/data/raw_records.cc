#include "worker/data/raw_records.h"

#include <cstring>

namespace millrace::worker {
namespace {

constexpr size_t kNone = std::string_view::npos;

size_t FindByte(std::string_view text, size_t from, char byte) {
  if (from >= text.size()) return kNone;
  const void* found = std::memchr(text.data() + from, byte, text.size() - from);
  return found == nullptr ? kNone
                          : static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

bool HasLines(const RawRecords& raw) { return raw.first_line != 0 || !raw.lines.empty(); }

int64_t LineOf(const RawRecords& raw, size_t i) {
  return raw.lines.empty() ? raw.first_line + static_cast<int64_t>(i) : raw.lines[i];
}

bool HasOffsets(const RawRecords& raw) { return raw.first_offset >= 0 || !raw.offsets.empty(); }

int64_t OffsetOf(const RawRecords& raw, size_t i) {
  return raw.offsets.empty() ? raw.first_offset + static_cast<int64_t>(i) : raw.offsets[i];
}

std::string_view WithoutCarriageReturn(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

// A quote opens a field only where one can begin: at the start of a record or behind a byte that
// may be a delimiter. So a stray quote in a plain field (5" disk) does not swallow the records
// behind it.
bool CanOpen(std::string_view block, size_t record_begin, size_t quote) {
  if (quote == record_begin) return true;
  const auto before = static_cast<unsigned char>(block[quote - 1]);
  const bool letter_or_digit = (before >= '0' && before <= '9') ||
                               (before >= 'A' && before <= 'Z') || (before >= 'a' && before <= 'z');
  return !letter_or_digit && before < 0x80 && before != ' ' && before != '"';
}

// Position of the quote that closes the field whose content starts at `from`; kNone when it is not
// in the block.
size_t ClosingQuote(std::string_view block, size_t from) {
  for (;;) {
    const size_t quote = FindByte(block, from, '"');
    if (quote == kNone) return kNone;
    if (quote + 1 >= block.size() || block[quote + 1] != '"') return quote;
    from = quote + 2;
  }
}

// Position of the line break that ends the record at `begin`; kNone when it is not in the block.
size_t EndOfCsvRecord(std::string_view block, size_t begin) {
  size_t at = begin;
  for (;;) {
    const size_t line_end = FindByte(block, at, '\n');
    const size_t limit = line_end == kNone ? block.size() : line_end;
    size_t quote = FindByte(block.substr(0, limit), at, '"');
    while (quote != kNone && !CanOpen(block, begin, quote)) {
      quote = FindByte(block.substr(0, limit), quote + 1, '"');
    }
    if (quote == kNone) return line_end;
    const size_t close = ClosingQuote(block, quote + 1);
    if (close == kNone) return kNone;
    at = close + 1;
  }
}

}  // namespace

RawRecords SelectRecords(const RawRecords& raw, std::span<const uint32_t> rows) {
  RawRecords selected;
  selected.owners = raw.owners;
  selected.header = raw.header;
  selected.first_index = raw.first_index;
  selected.path = raw.path;
  selected.topic = raw.topic;
  selected.partition = raw.partition;
  selected.first_line = raw.first_line;
  selected.lines_before = raw.lines_before;
  selected.first_offset = raw.first_offset;
  for (const uint32_t row : rows) {
    selected.payloads.push_back(raw.payloads[row]);
    if (!raw.null_payload.empty()) selected.null_payload.push_back(raw.null_payload[row]);
    if (HasLines(raw)) selected.lines.push_back(LineOf(raw, row));
    if (HasOffsets(raw)) selected.offsets.push_back(OffsetOf(raw, row));
  }
  for (const auto& [name, column] : raw.hidden)
    selected.hidden.emplace_back(name, Gather(*column, rows));
  return selected;
}

std::string PlaceOfRecord(const RawRecords& raw, size_t i) {
  if (!raw.path.empty()) {
    if (!HasLines(raw)) return raw.path;
    return raw.path + ":" +
           std::to_string(LineOf(raw, i) + (raw.lines_before ? raw.lines_before() : 0));
  }
  if (HasOffsets(raw)) {
    const std::string partition =
        raw.topic.empty() ? "" : raw.topic + "/" + std::to_string(raw.partition) + " ";
    return partition + "offset " + std::to_string(OffsetOf(raw, i));
  }
  return "record " + std::to_string(raw.first_index + static_cast<int64_t>(i));
}

size_t SplitLines(std::string_view block, bool at_end, std::vector<std::string_view>* lines) {
  size_t begin = 0;
  while (begin < block.size()) {
    const size_t end = FindByte(block, begin, '\n');
    if (end == kNone) break;
    lines->push_back(WithoutCarriageReturn(block.substr(begin, end - begin)));
    begin = end + 1;
  }
  if (!at_end || begin == block.size()) return begin;
  lines->push_back(block.substr(begin));
  return block.size();
}

size_t SplitCsvRecords(std::string_view block, bool at_end,
                       std::vector<std::string_view>* records) {
  size_t begin = 0;
  while (begin < block.size()) {
    const size_t end = EndOfCsvRecord(block, begin);
    if (end == kNone) break;
    records->push_back(WithoutCarriageReturn(block.substr(begin, end - begin)));
    begin = end + 1;
  }
  if (!at_end || begin == block.size()) return begin;
  records->push_back(block.substr(begin));
  return block.size();
}

}  // namespace millrace::worker
