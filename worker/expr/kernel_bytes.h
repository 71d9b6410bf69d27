#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Byte scans behind string kernels.
namespace millrace::worker {

// True when no byte is above 0x7f.
bool IsAsciiText(std::string_view text);
// Bytes that begin a UTF-8 character: all but 0x80 to 0xbf.
int64_t CountCharacters(std::string_view text);
// Copies `text` to `target` with A-Z as a-z (or the other way round).
void CopyLowerAscii(std::string_view text, char* target);
void CopyUpperAscii(std::string_view text, char* target);

// The text that a pattern without special characters matches; nullopt for other patterns.
std::optional<std::string> LiteralPattern(std::string_view pattern);

// What separates the parts of a split.
enum class SeparatorClass : uint8_t {
  kByte,      // each single byte
  kNonWords,  // runs of bytes other than [0-9A-Za-z_]: the pattern \W+
  kSpaces,    // runs of \t \n \f \r and space: the pattern \s+
};

// Cuts texts at separators, 16 bytes at a time. Keeps scratch memory; thread-compatible.
class ByteSplitter {
 public:
  ByteSplitter(SeparatorClass separator, char byte) : separator_(separator), byte_(byte) {}
  // Appends the parts of `text`, empty ones included, from (*parts)[used] on, growing it as needed;
  // returns the new end.
  size_t Split(std::string_view text, size_t used, std::vector<std::string_view>* parts);

 private:
  SeparatorClass separator_;
  char byte_;
  std::vector<uint32_t> cuts_;
};

}  // namespace millrace::worker
