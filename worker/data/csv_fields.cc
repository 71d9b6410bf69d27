#include "worker/data/csv_fields.h"

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

std::string_view WithoutDoubledQuotes(std::string_view text, Arena* arena) {
  char* const begin = arena->Allocate(text.size());
  char* out = begin;
  for (size_t i = 0; i < text.size(); ++i) {
    *out++ = text[i];
    if (text[i] == '"') ++i;
  }
  const auto size = static_cast<size_t>(out - begin);
  arena->Return(text.size() - size);
  return {begin, size};
}

// Position of the quote that closes the cell opened at `open`; kNone for none. Says whether there
// are doubled ones between.
size_t ClosingQuote(std::string_view record, size_t open, bool* doubled) {
  size_t from = open + 1;
  for (;;) {
    const size_t quote = FindByte(record, from, '"');
    if (quote == kNone || quote + 1 == record.size() || record[quote + 1] != '"') return quote;
    *doubled = true;
    from = quote + 2;
  }
}

}  // namespace

std::string CutCsvRecord(std::string_view record, char delimiter, Arena* arena,
                         std::vector<CsvCell>* cells) {
  cells->clear();
  size_t at = 0;
  for (;;) {
    if (at < record.size() && record[at] == '"') {
      bool doubled = false;
      const size_t close = ClosingQuote(record, at, &doubled);
      if (close == kNone) return "the quote at byte " + std::to_string(at) + " is not closed";
      std::string_view text = record.substr(at + 1, close - at - 1);
      if (doubled) text = WithoutDoubledQuotes(text, arena);
      cells->push_back({text, true});
      if (close + 1 == record.size()) return {};
      if (record[close + 1] != delimiter)
        return "text behind the closing quote at byte " + std::to_string(close);
      at = close + 2;
    } else {
      const size_t end = FindByte(record, at, delimiter);
      cells->push_back({record.substr(at, end == kNone ? kNone : end - at), false});
      if (end == kNone) return {};
      at = end + 1;
    }
  }
}

}  // namespace millrace::worker
