#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::worker {

// Bytes and whatever keeps them alive: a received message or a string. Copies share; thread-safe to
// read. The owner is shared between the caller, frames that may be sent again and ZeroMQ's thread.
class SharedBytes {
 public:
  SharedBytes() = default;
  explicit SharedBytes(std::string bytes) {
    auto text = std::make_shared<const std::string>(std::move(bytes));
    view_ = *text;
    owner_ = std::move(text);
  }
  SharedBytes(std::shared_ptr<const void> owner, std::string_view view)
      : owner_(std::move(owner)), view_(view) {}

  std::string_view view() const { return view_; }
  size_t size() const { return view_.size(); }
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  std::shared_ptr<const void> owner_;
  std::string_view view_;
};

}  // namespace millrace::worker
