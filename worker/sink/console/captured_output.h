#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "worker/sink/console/screen.h"

namespace millrace::worker {

// A pipe in place of standard output, for tests: Take returns what was written since the last call.
// Holds 64 KiB.
class CapturedOutput {
 public:
  CapturedOutput() { EXPECT_EQ(pipe2(ends_, O_NONBLOCK | O_CLOEXEC), 0); }
  ~CapturedOutput() {
    close(ends_[0]);
    close(ends_[1]);
  }
  CapturedOutput(const CapturedOutput&) = delete;
  CapturedOutput& operator=(const CapturedOutput&) = delete;

  Screen::Options options() const {
    Screen::Options options;
    options.out_fd = ends_[1];
    options.status_fd = -1;
    options.width = 80;
    options.height = 24;
    return options;
  }
  std::string Take() {
    std::string text(1 << 16, '\0');
    const ssize_t size = read(ends_[0], text.data(), text.size());
    text.resize(size < 0 ? 0 : static_cast<size_t>(size));
    return text;
  }

 private:
  int ends_[2];
};

}  // namespace millrace::worker
