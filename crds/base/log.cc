#include "crds/base/log.h"

#include <unistd.h>

#include <atomic>

#include "crds/base/clock.h"
#include "crds/base/json_writer.h"
#include "crds/base/text.h"

namespace millrace {
namespace {

std::atomic<LogLevel> g_level{LogLevel::kInfo};
std::atomic<LogFormat> g_format{LogFormat::kJson};

std::string_view LevelName(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "info";
}

std::string JsonEntry(LogLevel level, std::string_view message,
                      std::initializer_list<LogField> fields) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("time");
  writer.String(FormatRfc3339(SystemClock().Now()));
  writer.Key("level");
  writer.String(LevelName(level));
  writer.Key("message");
  writer.String(message);
  for (const auto& [key, value] : fields) {
    writer.Key(key);
    writer.String(value);
  }
  writer.EndObject();
  return writer.Take();
}

// A word stays bare; everything else is quoted as JSON.
bool IsBareWord(std::string_view value) {
  return !value.empty() &&
         value.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:+%") ==
             std::string_view::npos;
}

// Control bytes escaped without the quotes, so that a message stays readable and on its line.
std::string OneLine(std::string_view text) {
  const std::string quoted = JsonQuote(text);
  if (quoted.size() == text.size() + 2) return std::string(text);
  return Excerpt(text, text.size() * 6 + 3);
}

std::string TextEntry(LogLevel level, std::string_view message,
                      std::initializer_list<LogField> fields) {
  std::string entry = FormatRfc3339(SystemClock().Now());
  entry += ' ';
  entry += LevelName(level);
  entry += ' ';
  entry += OneLine(message);
  for (const auto& [key, value] : fields) {
    entry += ' ';
    entry += key;
    entry += '=';
    entry += IsBareWord(value) ? value : JsonQuote(value);
  }
  return entry;
}

}  // namespace

void ConfigureLog(LogLevel level, LogFormat format) {
  g_level = level;
  g_format = format;
}

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (level < g_level.load(std::memory_order_relaxed)) return;
  std::string entry = g_format.load(std::memory_order_relaxed) == LogFormat::kJson
                          ? JsonEntry(level, message, fields)
                          : TextEntry(level, message, fields);
  entry += '\n';
  // One call, so that entries of several threads never mix; there is nowhere to report a failure
  // to.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, entry.data(), entry.size());
}

}  // namespace millrace
