#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace millrace {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kJson, kText };

// Process-wide log to standard error, one line per entry, written in one call. Values are escaped,
// so an entry never spans lines. Thread-safe. Configure before threads start.
void ConfigureLog(LogLevel level, LogFormat format);

using LogField = std::pair<std::string_view, std::string>;
// Example: Log(LogLevel::kWarn, "source reconnects", {{"source", name}, {"error",
// status.message()}}).
void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

}  // namespace millrace
