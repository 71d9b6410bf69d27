#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "worker/data/arena.h"

namespace millrace::worker {

struct CsvCell {
  std::string_view text;
  bool quoted = false;
};

// Cuts one record into cells (RFC 4180). Quoted cells lose their quotes; doubled quotes become one,
// in `arena`; other cells are views. A quote inside a cell that does not begin with one is an
// ordinary byte. Returns what is wrong ("the quote at byte 7 is not closed"), empty for nothing.
// Replaces the content of `cells`.
std::string CutCsvRecord(std::string_view record, char delimiter, Arena* arena,
                         std::vector<CsvCell>* cells);

}  // namespace millrace::worker
