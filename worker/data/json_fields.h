#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace millrace::worker {

// Finds which field a member name of a JSON object stands for. Objects of one stream nearly always
// have their members in one order, so the order seen so far is remembered, names that no field
// reads included: a typical member costs one comparison of raw bytes, and only a surprise costs a
// hash look-up. Thread-compatible.
class JsonFields {
 public:
  static constexpr int kIgnored = -1;
  static constexpr int kUnknown = -2;
  static constexpr int kNotLearned = -3;

  // `names[i]` is field i's name in the data. Other names are `other`, but those of `ignored` are
  // kIgnored.
  JsonFields(std::vector<std::string> names, const std::vector<std::string>& ignored, int other);

  // Starts an object.
  class Cursor {
    friend class JsonFields;
    size_t next_ = 0;
  };
  // Requires: `key` points behind the opening quote of a member name, whose closing quote stands
  // before `end`; 64 bytes behind `end` can be read.
  int Find(const char* key, const char* end, Cursor* cursor) {
    const size_t first = cursor->next_;
    const size_t limit = first + kLookAhead < count_ ? first + kLookAhead : count_;
    for (size_t i = first; i < limit; ++i) {
      if (!guesses_[i].Matches(key)) continue;
      cursor->next_ = i + 1;
      return guesses_[i].field;
    }
    return FindSlowly(key, end, cursor);
  }
  // The same for names that are remembered only, else kNotLearned; *size is that of the name with
  // its closing quote, which may lie behind the end of the record. Requires: 64 bytes behind `key`
  // can be read.
  int FindLearned(const char* key, Cursor* cursor, size_t* size) const {
    const size_t first = cursor->next_;
    const size_t limit = first + kLookAhead < count_ ? first + kLookAhead : count_;
    for (size_t i = first; i < limit; ++i) {
      if (!guesses_[i].Matches(key)) continue;
      cursor->next_ = i + 1;
      *size = guesses_[i].size;
      return guesses_[i].field;
    }
    return kNotLearned;
  }
  // The member name as it reads, for messages.
  static std::string Name(const char* key, const char* end);

 private:
  static constexpr size_t kLookAhead = 4;
  static constexpr size_t kMaxGuesses = 128;
  static constexpr size_t kMaxLearned = 4096;
  static constexpr size_t kWords = 5;

  // A member name with its closing quote, as words that can be compared at once.
  struct Guess {
    std::array<uint64_t, kWords> words{};
    uint64_t last_mask = 0;
    uint32_t last = 0;  // index of the last word
    uint32_t size = 0;
    int field = kIgnored;

    bool Matches(const char* key) const {
      uint64_t word = 0;
      for (uint32_t i = 0; i < last; ++i) {
        std::memcpy(&word, key + 8 * i, 8);
        if (word != words[i]) return false;
      }
      std::memcpy(&word, key + 8 * last, 8);
      return (word & last_mask) == words[last];
    }
  };

  int FindSlowly(const char* key, const char* end, Cursor* cursor);
  void Learn(std::string_view name, int field, Cursor* cursor);

  std::vector<Guess> guesses_;
  size_t count_ = 0;  // of guesses_
  size_t learned_ = 0;
  std::unordered_map<std::string, int> fields_;
  int other_;
};

}  // namespace millrace::worker
