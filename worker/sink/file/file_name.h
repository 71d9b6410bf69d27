#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "crds/base/status.h"

namespace millrace::worker {

// What the name of a data file says. Grammar (version 1):
//   <stream> "-" <stage> "-" <unit> "-" <batch> "-" <8 hex of the batch's digest> "." <extension>
//   [".gz" | ".zst"]
// Bytes of stream and stage other than letters, digits, "_" and "." stand as %XX, so that "-"
// separates and nothing else.
struct DataFileName {
  std::string stream;
  std::string stage;
  int unit = 0;
  int64_t batch = 0;
  std::string digest;  // 8 hex digits

  // `extension` without its first dot: "json.gz".
  std::string Format(std::string_view extension) const;
  // Empty for any name that Format does not give.
  static std::optional<DataFileName> Parse(std::string_view name);
  friend bool operator==(const DataFileName&, const DataFileName&) = default;
};

// kInvalid unless `folder` names a folder below another: relative, no empty, "." or ".." part, no
// part that begins with "_" or "." (readers skip those), no control bytes, parts of at most 255
// bytes and 1,000 in all.
Status CheckSubfolder(std::string_view folder);

}  // namespace millrace::worker
