#include "worker/data/json_fields.h"

#include "worker/data/json_text.h"

namespace millrace::worker {
namespace {

// The bytes up to the closing quote.
std::string_view RawName(const char* key, const char* end) {
  const char* at = key;
  while (at < end && *at != '"') at += *at == '\\' ? 2 : 1;
  return {key, static_cast<size_t>((at < end ? at : end) - key)};
}

std::string Unescaped(std::string_view raw) {
  Arena arena(raw.size() + 1);
  std::string_view name;
  return UnescapeJson(raw, &arena, &name) ? std::string(name) : std::string(raw);
}

}  // namespace

JsonFields::JsonFields(std::vector<std::string> names, const std::vector<std::string>& ignored,
                       int other)
    : other_(other) {
  for (const std::string& name : ignored) fields_[name] = kIgnored;
  for (size_t i = 0; i < names.size(); ++i) fields_[names[i]] = static_cast<int>(i);
}

std::string JsonFields::Name(const char* key, const char* end) {
  return Unescaped(RawName(key, end));
}

int JsonFields::FindSlowly(const char* key, const char* end, Cursor* cursor) {
  const std::string_view raw = RawName(key, end);
  const bool escaped = raw.find('\\') != std::string_view::npos;
  const auto found = fields_.find(escaped ? Unescaped(raw) : std::string(raw));
  const int field = found == fields_.end() ? other_ : found->second;
  if (!escaped) Learn(raw, field, cursor);
  return field;
}

// Puts the name where the cursor stands, so that optional members find their place between the
// others. Objects without any order stop being learned after a while.
void JsonFields::Learn(std::string_view name, int field, Cursor* cursor) {
  const size_t size = name.size() + 1;
  if (size > 8 * kWords || learned_ == kMaxLearned) return;
  if (guesses_.size() == kMaxGuesses) {
    guesses_.clear();
    cursor->next_ = 0;
  }
  ++learned_;
  Guess guess;
  char bytes[8 * kWords] = {};
  std::memcpy(bytes, name.data(), name.size());
  bytes[name.size()] = '"';
  std::memcpy(guess.words.data(), bytes, sizeof bytes);
  guess.last = static_cast<uint32_t>((size - 1) / 8);
  guess.size = static_cast<uint32_t>(size);
  char mask[8] = {};
  std::memset(mask, 0xff, (size - 1) % 8 + 1);
  std::memcpy(&guess.last_mask, mask, 8);
  guess.field = field;
  guesses_.insert(guesses_.begin() + static_cast<ptrdiff_t>(cursor->next_), guess);
  count_ = guesses_.size();
  ++cursor->next_;
}

}  // namespace millrace::worker
