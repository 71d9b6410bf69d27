#include "worker/runtime/last_words.h"

#include <fcntl.h>
#include <unistd.h>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {
constexpr size_t kMaxBytes = 2048;  // the kubelet takes 4096
}  // namespace

void LeaveLastWords(const Status& status, bool asked_to_stop, const std::string& path) {
  if (status.ok() && asked_to_stop) return;
  const std::string words = status.ok() ? "completed" : "failed: " + status.message();
  const std::string text = Excerpt(words, kMaxBytes) + "\n";
  const int file = open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written = write(file, text.data(), text.size());
  close(file);
}

}  // namespace millrace::worker
