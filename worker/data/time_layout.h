#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "crds/base/status.h"
#include "worker/data/time_zone.h"

namespace millrace::worker {

// English names whatever the locale of the process is.
inline constexpr std::array<std::string_view, 12> kMonthNames{
    "January", "February", "March",     "April",   "May",      "June",
    "July",    "August",   "September", "October", "November", "December"};
inline constexpr std::array<std::string_view, 7> kWeekdayNames{
    "Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};

// Whether every directive of `layout` is known: kInvalid names the first that is not, and those
// that are.
Status CheckTimeLayout(std::string_view layout);
Status UnknownDirective(std::string_view layout, size_t at);

// Appends the time by `layout`, as it reads at `zone`.
Status AppendTimeLayout(std::string_view layout, int64_t micros, const ZoneOffset& zone,
                        std::string* out);

}  // namespace millrace::worker
