#pragma once

#include <string_view>

namespace re2 {
class RE2;
}

namespace millrace::worker {

// The pieces of a text between the matches of a pattern, as splitRegex() gives them: empty pieces
// count, also at both ends; empty matches split only inside the text. Pieces view the text.
// Thread-compatible.
class RegexSplitter {
 public:
  RegexSplitter(std::string_view text, const re2::RE2& regex) : text_(text), regex_(regex) {}
  bool Next(std::string_view* part);

 private:
  std::string_view text_;
  const re2::RE2& regex_;
  size_t start_ = 0;   // of the piece
  size_t search_ = 0;  // for the next match
  bool done_ = false;
};

}  // namespace millrace::worker
