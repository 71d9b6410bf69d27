#include "operator/kube/token.h"

#include "crds/base/file.h"
#include "crds/base/text.h"

namespace millrace::controller {
namespace {
constexpr size_t kMaxTokenBytes = 64 << 10;
}  // namespace

Result<std::string> Token::Get() {
  std::lock_guard lock(mutex_);
  const MonotonicTime now = clock_->Monotonic();
  if (file_.empty() || (read_ && now - *read_ < kMaxAge)) return value_;
  const Result<std::string> text = ReadFile(file_, kMaxTokenBytes);
  if (text.ok() && !Trim(*text).empty()) {
    value_ = std::string(Trim(*text));
    read_ = now;
    return value_;
  }
  if (!value_.empty()) return value_;
  return text.ok() ? InvalidError("token file " + file_ + " is empty") : text.status();
}

void Token::Refused(const std::string& token) {
  std::lock_guard lock(mutex_);
  if (token == value_) read_.reset();
}

}  // namespace millrace::controller
