#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/clock.h"
#include "crds/base/status.h"

namespace millrace {

// Parses "500ms", "1m30s", "1.5h" (units ns us µs ms s m h, as in CEL's duration()), with an
// optional sign. Errors name the text and give valid examples; a value beyond +-10,000 years is
// refused.
Result<Duration> ParseDuration(std::string_view text);
// The shortest text that ParseDuration reads back: "1m30s", "500ms", "0s".
std::string FormatDuration(Duration duration);

// Parses a Kubernetes quantity ("64Mi", "1G", "500m", "2") into thousandths.
Result<int64_t> ParseQuantityMilli(std::string_view text);

// The candidate nearest to `name` by Damerau-Levenshtein distance, if it is near enough to be a
// typo.
std::optional<std::string> ClosestName(std::string_view name,
                                       std::span<const std::string> candidates);

// "a, b, c".
std::string Join(std::span<const std::string> parts, std::string_view separator);
std::vector<std::string_view> Split(std::string_view text, char separator);
std::string_view Trim(std::string_view text);
std::string ToLowerAscii(std::string_view text);

// `text` as a JSON string with quotes. Bytes that are not UTF-8 become U+FFFD, so the result is
// always valid.
std::string JsonQuote(std::string_view text);
void AppendJsonQuoted(std::string_view text, std::string* out);
// True for well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
bool IsValidUtf8(std::string_view text);
// At most `limit` bytes of `text` for messages: control bytes escaped, cut at a character with
// "...".
std::string Excerpt(std::string_view text, size_t limit = 80);
// Lower-case hex of `bytes`.
std::string HexEncode(std::string_view bytes);
// RFC 4648 with padding.
std::string Base64Encode(std::string_view bytes);
Result<std::string> Base64Decode(std::string_view text);

// SHA-256 (FIPS 180-4), 32 raw bytes.
std::string Sha256(std::string_view bytes);
// `count` bytes from the system's random source, in hex.
std::string RandomHex(size_t count);

// RFC 3339 in UTC with as many of 0, 3, 6 fraction digits as needed: "2024-06-01T00:00:00Z".
std::string FormatRfc3339(TimePoint time);
// Any RFC 3339 offset; fractions finer than a microsecond are cut.
Result<TimePoint> ParseRfc3339(std::string_view text);

}  // namespace millrace
