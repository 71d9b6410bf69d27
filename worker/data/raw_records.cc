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
