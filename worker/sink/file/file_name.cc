#include "worker/sink/file/file_name.h"

#include <algorithm>
#include <charconv>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

constexpr size_t kDigestDigits = 8;
constexpr size_t kMaxPartBytes = 255;
constexpr size_t kMaxFolderBytes = 1000;

bool IsPlain(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.';
}

bool IsLowerHex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

void AppendEscaped(std::string_view text, std::string* out) {
  for (const char c : text) {
    if (IsPlain(c)) {
      out->push_back(c);
    } else {
      *out += "%" + HexEncode(std::string_view(&c, 1));
    }
  }
}

std::optional<std::string> Unescape(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (IsPlain(text[i])) {
      out.push_back(text[i]);
      continue;
    }
    unsigned value = 0;
    if (text[i] != '%' || i + 2 >= text.size() || !IsLowerHex(text[i + 1]) ||
        !IsLowerHex(text[i + 2])) {
      return std::nullopt;
    }
    std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16);
    out.push_back(static_cast<char>(value));
    i += 2;
  }
  return out;
}

template <typename Number>
bool ParseCount(std::string_view text, Number* value) {
  const bool canonical = text == "0" || (!text.empty() && text[0] >= '1' && text[0] <= '9');
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return canonical && error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::string DataFileName::Format(std::string_view extension) const {
  std::string name;
  AppendEscaped(stream, &name);
  name += '-';
  AppendEscaped(stage, &name);
  name += '-' + std::to_string(unit) + '-' + std::to_string(batch) + '-' + digest + '.';
  name += extension;
  return name;
}

std::optional<DataFileName> DataFileName::Parse(std::string_view name) {
  const std::vector<std::string_view> parts = Split(name, '-');
  if (parts.size() != 5) return std::nullopt;
  DataFileName result;
  const std::optional<std::string> stream = Unescape(parts[0]);
  const std::optional<std::string> stage = Unescape(parts[1]);
  const std::string_view tail = parts[4];
  if (!stream || stream->empty() || !stage || !ParseCount(parts[2], &result.unit) ||
      !ParseCount(parts[3], &result.batch) || tail.size() < kDigestDigits + 2 ||
      tail[kDigestDigits] != '.' ||
      !std::all_of(tail.begin(), tail.begin() + kDigestDigits, IsLowerHex)) {
    return std::nullopt;
  }
  result.stream = *stream;
  result.stage = *stage;
  result.digest = std::string(tail.substr(0, kDigestDigits));
  return result;
}

Status CheckSubfolder(std::string_view folder) {
  const std::string quoted = "folder \"" + Excerpt(folder) + "\" ";
  if (folder.empty()) return InvalidError("folder is empty");
  if (folder.front() == '/')
    return InvalidError(quoted + "is absolute; it must be relative to path");
  if (folder.size() > kMaxFolderBytes) return InvalidError(quoted + "is longer than 1000 bytes");
  if (std::any_of(folder.begin(), folder.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; })) {
    return InvalidError(quoted + "has a control character");
  }
  for (const std::string_view part : Split(folder, '/')) {
    if (part.empty()) return InvalidError(quoted + "has an empty part");
    if (part == ".." || part == ".")
      return InvalidError(quoted + "has a part \"" + std::string(part) + "\"");
    if (part.front() == '_' || part.front() == '.') {
      return InvalidError(quoted + "has a part that begins with \"" + part.front() +
                          "\", which readers skip");
    }
    if (part.size() > kMaxPartBytes)
      return InvalidError(quoted + "has a part longer than 255 bytes");
  }
  return OkStatus();
}

}  // namespace millrace::worker
