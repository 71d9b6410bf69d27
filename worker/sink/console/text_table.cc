#include "worker/sink/console/text_table.h"

#include <algorithm>
#include <numeric>

#include "worker/sink/console/text_width.h"

namespace millrace::worker {
namespace {

constexpr int kGap = 2;
constexpr int kMinColumn = 4;
constexpr int kMaxPipeColumn = 40;
constexpr std::string_view kBold = "\033[1m";
constexpr std::string_view kDim = "\033[2m";
constexpr std::string_view kReset = "\033[0m";

std::vector<int> NaturalWidths(const TextTable& table, int limit) {
  std::vector<int> widths;
  for (const std::string& name : table.header)
    widths.push_back(std::min(DisplayWidth(name), limit));
  for (const std::vector<std::string>& row : table.rows) {
    for (size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], std::min(DisplayWidth(row[i]), limit));
  }
  return widths;
}

int TotalWidth(const std::vector<int>& widths) {
  return std::accumulate(widths.begin(), widths.end(),
                         kGap * (static_cast<int>(widths.size()) - 1));
}

// Takes from the widest columns first, the last of equal ones, none below kMinColumn; false when
// that is not enough.
bool Shrink(std::vector<int>* widths, int room) {
  while (TotalWidth(*widths) > room) {
    const auto widest = std::max_element(widths->rbegin(), widths->rend());
    if (*widest <= std::min(kMinColumn, std::max(room, 1))) return false;
    --*widest;
  }
  return true;
}

// Widths of the columns that are shown: as many from the left as `total` has room for, with "…"
// behind them when some are not.
std::vector<int> FitColumns(const std::vector<int>& natural, int total) {
  for (size_t count = natural.size(); count > 0; --count) {
    std::vector<int> widths(natural.begin(), natural.begin() + static_cast<std::ptrdiff_t>(count));
    const int room = count == natural.size() ? total : total - kGap - 1;
    if (Shrink(&widths, room)) return widths;
  }
  return {};
}

std::string Line(const std::vector<std::string>& cells, const std::vector<bool>& right,
                 const std::vector<int>& widths, bool cut) {
  std::string line;
  for (size_t i = 0; i < widths.size(); ++i) {
    const std::string cell = cut ? FitWidth(cells[i], widths[i]) : cells[i];
    const auto padding = static_cast<size_t>(std::max(0, widths[i] - DisplayWidth(cell)));
    if (i > 0) line.append(kGap, ' ');
    if (right[i]) line.append(padding, ' ');
    line += cell;
    if (!right[i]) line.append(padding, ' ');
  }
  if (widths.size() < cells.size()) return line + (widths.empty() ? "…" : "  …");
  line.erase(line.find_last_not_of(' ') + 1);
  return line;
}

std::string Styled(std::string line, std::string_view style) {
  return std::string(style) + std::move(line) + std::string(kReset);
}

}  // namespace

std::vector<std::string> LayoutForTerminal(const TextTable& table, int width, bool colour) {
  const std::vector<int> widths = FitColumns(NaturalWidths(table, std::max(width, 1)), width);
  const std::string header = Line(table.header, table.right_aligned, widths, true);
  std::vector<std::string> lines{colour ? Styled(header, kDim) : header};
  for (size_t i = 0; i < table.rows.size(); ++i) {
    const std::string line = Line(table.rows[i], table.right_aligned, widths, true);
    const bool bold = colour && i < table.highlighted.size() && table.highlighted[i];
    lines.push_back(bold ? Styled(line, kBold) : line);
  }
  return lines;
}

std::vector<std::string> LayoutForPipe(const TextTable& table, std::vector<int>* widths) {
  const std::vector<int> natural = NaturalWidths(table, kMaxPipeColumn + 1);
  widths->resize(natural.size(), 0);
  for (size_t i = 0; i < natural.size(); ++i) {
    (*widths)[i] = std::max((*widths)[i], std::min(natural[i], kMaxPipeColumn));
  }
  std::vector<std::string> lines{Line(table.header, table.right_aligned, *widths, false)};
  for (const std::vector<std::string>& row : table.rows) {
    lines.push_back(Line(row, table.right_aligned, *widths, false));
  }
  return lines;
}

}  // namespace millrace::worker
