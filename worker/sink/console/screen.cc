#include "worker/sink/console/screen.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

#include "worker/sink/console/text_width.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kClearBelow = "\033[J";
constexpr std::string_view kClearLine = "\r\033[K";
constexpr std::string_view kWrapOff = "\033[?7l";
constexpr std::string_view kWrapOn = "\033[?7h";
constexpr int kMinWidth = 1;
constexpr int kMinHeight = 4;

Status WriteTo(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written >= 0) {
      bytes.remove_prefix(static_cast<size_t>(written));
    } else if (errno == EAGAIN) {
      pollfd ready{fd, POLLOUT, 0};
      if (poll(&ready, 1, -1) < 0 && errno != EINTR)
        return ErrnoError("wait for standard output", errno);
    } else if (errno == EPIPE) {
      return GoneError("standard output is closed: its reader went away");
    } else if (errno != EINTR) {
      return ErrnoError("write to standard output", errno);
    }
  }
  return OkStatus();
}

void IgnoreBrokenPipes() {
  struct sigaction action {};
  if (sigaction(SIGPIPE, nullptr, &action) == 0 && action.sa_handler == SIG_DFL)
    signal(SIGPIPE, SIG_IGN);
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// Lines that are too many go from the ends of the longest tables, the last one first.
void CutToHeight(std::vector<std::vector<std::string>>* tables, size_t height) {
  size_t total = 0;
  for (const auto& lines : *tables) total += lines.size();
  for (; total > height; --total) {
    const auto longest =
        std::max_element(tables->rbegin(), tables->rend(),
                         [](const auto& a, const auto& b) { return a.size() < b.size(); });
    longest->pop_back();
  }
}

}  // namespace

Screen::Options Screen::Detect(int out_fd, int status_fd) {
  const std::string term = Environment("TERM");
  const bool moves_cursor = !term.empty() && term != "dumb";
  Options options;
  options.out_fd = out_fd;
  options.status_fd = status_fd;
  options.live = moves_cursor && isatty(out_fd) == 1;
  options.status_live = moves_cursor && isatty(status_fd) == 1;
  options.colour = options.live && Environment("NO_COLOR").empty();
  return options;
}

Screen::Screen(Options options) : options_(options) { IgnoreBrokenPipes(); }

Screen::~Screen() {
  SetStatusLine("");
  std::lock_guard lock(mutex_);
  if (drawn_lines_ > 0) (void)WriteTo(options_.out_fd, "\n");
}

int Screen::width() const {
  if (options_.width > 0) return options_.width;
  winsize size{};
  const int fd = options_.live ? options_.out_fd : options_.status_fd;
  if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    return std::max<int>(size.ws_col, kMinWidth);
  const int columns = std::atoi(Environment("COLUMNS").c_str());
  return columns >= kMinWidth && columns <= 10'000 ? columns : 80;
}

int Screen::Height() const {
  if (options_.height > 0) return options_.height;
  winsize size{};
  if (ioctl(options_.out_fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) {
    return std::max<int>(size.ws_row, kMinHeight);
  }
  return 24;
}

Status Screen::Print(std::span<const std::string> lines) {
  std::lock_guard lock(mutex_);
  if (options_.live) return Redraw(lines);
  std::string bytes;
  for (const std::string& line : lines) bytes += line + "\n";
  return WriteTo(options_.out_fd, bytes);
}

Status Screen::SetTable(const std::string& name, std::vector<std::string> lines) {
  if (!options_.live) return Print(lines);
  std::lock_guard lock(mutex_);
  const auto found = std::find_if(tables_.begin(), tables_.end(),
                                  [&name](const auto& table) { return table.first == name; });
  if (found == tables_.end()) {
    tables_.emplace_back(name, std::move(lines));
  } else {
    found->second = std::move(lines);
  }
  return Redraw({});
}

void Screen::SetStatusLine(const std::string& text) {
  const int columns = width();
  std::lock_guard lock(mutex_);
  std::string status = FitWidth(EscapeForTerminal(text), columns);
  if (status == status_) return;
  status_ = std::move(status);
  if (options_.live) {
    (void)Redraw({});
  } else if (options_.status_live) {
    (void)WriteTo(options_.status_fd, std::string(kClearLine) + status_);
  }
}

std::vector<std::string> Screen::LiveLines() const {
  std::vector<std::vector<std::string>> tables;
  for (const auto& [name, lines] : tables_) tables.push_back(lines);
  // One row stays free, so that drawing never scrolls the live part away.
  const int reserved = 1 + (status_.empty() ? 0 : 1);
  CutToHeight(&tables, static_cast<size_t>(std::max(Height() - reserved, 1)));
  std::vector<std::string> result;
  for (std::vector<std::string>& lines : tables) {
    std::move(lines.begin(), lines.end(), std::back_inserter(result));
  }
  if (!status_.empty()) result.push_back(status_);
  return result;
}

// The cursor rests at the end of the last live line. Long live lines are clipped by the terminal,
// not wrapped, so that the number of screen rows to go up is known.
Status Screen::Redraw(std::span<const std::string> above) {
  std::string bytes;
  if (drawn_lines_ > 0) {
    bytes += '\r';
    if (drawn_lines_ > 1) bytes += "\033[" + std::to_string(drawn_lines_ - 1) + "A";
    bytes += kClearBelow;
  }
  for (const std::string& line : above) bytes += line + "\n";
  const std::vector<std::string> live = LiveLines();
  if (!live.empty()) bytes += kWrapOff;
  for (size_t i = 0; i < live.size(); ++i) {
    if (i > 0) bytes += '\n';
    bytes += live[i];
  }
  if (!live.empty()) bytes += kWrapOn;
  drawn_lines_ = live.size();
  return WriteTo(options_.out_fd, bytes);
}

}  // namespace millrace::worker
