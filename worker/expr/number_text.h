#pragma once

#include <string>
#include <string_view>

namespace millrace::worker {

// Shortest text that reads back; "NaN", "Infinity", "-Infinity".
std::string DoubleText(double value);
// The whole of `text` as a double; also NaN, Inf and Infinity with a sign, in any case. False for
// other texts.
bool ParseDoubleText(std::string_view text, double* value);

}  // namespace millrace::worker
