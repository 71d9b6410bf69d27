#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "crds/base/status.h"

namespace millrace {

// Appends little-endian integers, LEB128 varints and length-prefixed strings: the primitives of
// every binary record of the project. Thread-compatible.
class WireWriter {
 public:
  explicit WireWriter(std::string* out) : out_(out) {}

  void U8(uint8_t value) { out_->push_back(static_cast<char>(value)); }
  void U32(uint32_t value) { Fixed(value); }
  void U64(uint64_t value) { Fixed(value); }
  void I64(int64_t value) { Fixed(value); }
  void Varint(uint64_t value) {
    while (value >= 0x80) {
      U8(static_cast<uint8_t>(value) | 0x80);
      value >>= 7;
    }
    U8(static_cast<uint8_t>(value));
  }
  void Double(double value) { Fixed(value); }
  void Bytes(std::string_view value) {
    Varint(value.size());
    out_->append(value);
  }

 private:
  template <typename T>
  void Fixed(T value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    out_->append(raw, sizeof value);
  }

  std::string* out_;
};

// Reads what WireWriter wrote. Never reads past the end and never allocates by an unchecked length:
// after the first fault every call returns zero values and ok() is false. Views point into the
// input.
class WireReader {
 public:
  explicit WireReader(std::string_view input) : rest_(input) {}

  uint8_t U8() { return Fixed<uint8_t>(); }
  uint32_t U32() { return Fixed<uint32_t>(); }
  uint64_t U64() { return Fixed<uint64_t>(); }
  int64_t I64() { return Fixed<int64_t>(); }
  double Double() { return Fixed<double>(); }
  uint64_t Varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const uint8_t byte = U8();
      value |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    ok_ = false;
    return 0;
  }
  std::string_view Bytes() {
    const uint64_t size = Varint();
    return Take(size);
  }
  // The next `size` bytes.
  std::string_view Take(uint64_t size) {
    if (!ok_ || size > rest_.size()) {
      ok_ = false;
      return {};
    }
    const std::string_view result = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return result;
  }
  // A count of elements of at least `min_bytes` each; 0 when the input cannot hold so many.
  uint64_t Count(size_t min_bytes = 1) {
    const uint64_t count = Varint();
    if (count > rest_.size() / min_bytes) ok_ = false;
    return ok_ ? count : 0;
  }

  bool ok() const { return ok_; }
  bool done() const { return rest_.empty(); }
  std::string_view rest() const { return rest_; }
  // kInternal "corrupt <what>" unless everything was read without a fault.
  Status Finish(std::string_view what) const {
    if (ok_ && rest_.empty()) return OkStatus();
    return InternalError("corrupt " + std::string(what));
  }

 private:
  template <typename T>
  T Fixed() {
    T value{};
    if (!ok_ || rest_.size() < sizeof value) {
      ok_ = false;
      return value;
    }
    std::memcpy(&value, rest_.data(), sizeof value);
    rest_.remove_prefix(sizeof value);
    return value;
  }

  std::string_view rest_;
  bool ok_ = true;
};

}  // namespace millrace
