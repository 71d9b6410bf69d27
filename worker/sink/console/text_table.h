#pragma once

#include <string>
#include <vector>

namespace millrace::worker {

// Text in columns. All cells are escaped already (EscapeForTerminal).
struct TextTable {
  std::vector<std::string> header;
  std::vector<bool> right_aligned;             // per column
  std::vector<std::vector<std::string>> rows;  // each as long as `header`
  std::vector<bool> highlighted;               // per row; empty: none
};

// Lines for a terminal of `width` columns: cells that do not fit end in "…", the widest columns
// give first, and columns that have no room at all are left out with "…" as the last one. No line
// is wider than `width`. `colour` makes the header dim and highlighted rows bold; without it lines
// are plain text.
std::vector<std::string> LayoutForTerminal(const TextTable& table, int width, bool colour);

// Lines for a pipe: nothing is ever cut. `widths` carries the column widths from call to call, so
// that the columns of all batches line up; a cell beyond 40 columns pushes the rest of its line and
// widens its column to 40 only.
std::vector<std::string> LayoutForPipe(const TextTable& table, std::vector<int>* widths);

}  // namespace millrace::worker
