#include "worker/data/utf8.h"

#include <simdjson.h>

#include <algorithm>

#include "crds/base/text.h"

namespace millrace::worker {

size_t FindInvalidUtf8(std::string_view text) {
  if (simdjson::validate_utf8(text.data(), text.size())) return std::string_view::npos;
  // Only bad records come here. Every prefix that ends before a character begins is judged on its
  // own.
  size_t good = 0;
  while (good < text.size()) {
    size_t size = 1;
    while (size < std::min<size_t>(4, text.size() - good) && !IsValidUtf8(text.substr(good, size)))
      ++size;
    if (!IsValidUtf8(text.substr(good, size))) break;
    good += size;
  }
  return good;
}

std::string InvalidUtf8Message(size_t position) {
  return "invalid UTF-8 at byte " + std::to_string(position);
}

}  // namespace millrace::worker
