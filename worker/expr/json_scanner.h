#pragma once

#include <string_view>

namespace millrace::worker {

// Steps over the values of a JSON text (RFC 8259) and validates what it passes. Never reads beyond
// the text; nesting is limited. Thread-compatible.
class JsonScanner {
 public:
  explicit JsonScanner(std::string_view text) : rest_(text) { SkipSpace(); }

  // The next value without spaces around it; nullptr data when there is none or it is malformed.
  std::string_view Value();
  // Passes `symbol` if it comes next.
  bool Skip(char symbol);
  bool AtEnd() const { return rest_.empty(); }

 private:
  bool PassValue(int depth);
  bool PassContainer(char close, bool members, int depth);
  bool PassString();
  bool PassNumber();
  bool PassWord(std::string_view word);
  void SkipSpace();
  char Peek() const { return rest_.empty() ? '\0' : rest_.front(); }
  size_t PassDigits();

  std::string_view rest_;
};

}  // namespace millrace::worker
