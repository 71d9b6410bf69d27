#pragma once

#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "crds/base/status.h"

namespace millrace::worker {

// The one owner of the terminal: lines that stay scroll up, live tables and one status line stand
// below them and are redrawn in place. Without a terminal (`live` false) lines are written as they
// are, and the status line goes to `status_fd` where that is a terminal of its own, else nowhere.
// Each change is one write. Thread-safe. Ignores SIGPIPE process-wide from construction, unless the
// process handles it. Does not own the descriptors. The destructor removes the status line and
// leaves the tables on the screen. Errors: kGone when the reader of standard output went away
// (EPIPE), kInternal for other write errors.
class Screen {
 public:
  struct Options {
    int out_fd = 1;
    int status_fd = 2;
    bool live = false;         // out_fd is a terminal that can move its cursor
    bool status_live = false;  // the same of status_fd; only looked at when `live` is false
    bool colour = false;
    int width = 0;   // 0: ask the terminal, else $COLUMNS, else 80
    int height = 0;  // 0: ask the terminal, else 24
  };
  // From the descriptors, TERM (none or "dumb": not live) and NO_COLOR.
  static Options Detect(int out_fd = 1, int status_fd = 2);

  explicit Screen(Options options);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  bool live() const { return options_.live; }
  bool colour() const { return options_.colour; }
  int width() const;

  // Lines that stay, without line breaks inside.
  Status Print(std::span<const std::string> lines);
  // Shows `lines` under `name` in place of what the name showed before; tables stand in order of
  // their first call. Prints them where the screen is not live.
  Status SetTable(const std::string& name, std::vector<std::string> lines);
  // One line, cut at the width; empty removes it. Errors are dropped: it is decoration.
  void SetStatusLine(const std::string& text);

 private:
  int Height() const;
  std::vector<std::string> LiveLines() const;
  Status Redraw(std::span<const std::string> above);

  Options options_;
  std::mutex mutex_;
  std::vector<std::pair<std::string, std::vector<std::string>>> tables_;
  std::string status_;
  size_t drawn_lines_ = 0;
};

}  // namespace millrace::worker
