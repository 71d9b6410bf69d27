#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "crds/base/status.h"

namespace millrace::worker {

// Appends the primitives of Kafka's protocol (kafka.apache.org/protocol, "Protocol Primitive
// Types", flexible versions): big-endian integers, LEB128 varints, compact strings and arrays
// (length plus one), tagged fields. Thread-compatible.
class KafkaWriter {
 public:
  explicit KafkaWriter(std::string* out) : out_(out) {}

  void I8(int8_t value) { out_->push_back(static_cast<char>(value)); }
  void Bool(bool value) { I8(value ? 1 : 0); }
  void I16(int16_t value) { Fixed(static_cast<uint16_t>(value)); }
  void I32(int32_t value) { Fixed(static_cast<uint32_t>(value)); }
  void I64(int64_t value) { Fixed(static_cast<uint64_t>(value)); }
  void Uvarint(uint64_t value);
  void Varint(int64_t value) {  // zigzag
    Uvarint(static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63));
  }
  void Raw(std::string_view bytes) { out_->append(bytes); }
  void CompactString(std::string_view value) {
    Uvarint(value.size() + 1);
    Raw(value);
  }
  void CompactBytes(std::string_view value) { CompactString(value); }
  void NullCompact() { Uvarint(0); }
  void CompactCount(size_t count) { Uvarint(count + 1); }
  void String(std::string_view value) {  // the old form, of request headers
    I16(static_cast<int16_t>(value.size()));
    Raw(value);
  }
  void NoTags() { Uvarint(0); }

 private:
  template <typename T>
  void Fixed(T value);

  std::string* out_;
};

// Reads the same. Never reads past the end and never believes a length: after the first fault every
// call returns zero values and ok() is false. Views point into the input. Thread-compatible.
class KafkaReader {
 public:
  explicit KafkaReader(std::string_view input)
      : position_(input.data()), end_(input.data() + input.size()) {}

  int8_t I8() { return static_cast<int8_t>(Fixed<uint8_t>()); }
  bool Bool() { return I8() != 0; }
  int16_t I16() { return static_cast<int16_t>(Fixed<uint16_t>()); }
  int32_t I32() { return static_cast<int32_t>(Fixed<uint32_t>()); }
  int64_t I64() { return static_cast<int64_t>(Fixed<uint64_t>()); }
  uint64_t Uvarint();
  int64_t Varint() {  // zigzag
    const uint64_t value = Uvarint();
    return static_cast<int64_t>(value >> 1) ^ -static_cast<int64_t>(value & 1);
  }
  std::string_view Raw(uint64_t size);
  // A null reads as empty; `is_null` tells them apart.
  std::string_view CompactString(bool* is_null = nullptr);
  std::string_view CompactBytes(bool* is_null = nullptr) { return CompactString(is_null); }
  // The number of elements, each of at least `min_bytes`; 0 for a null array and when the input
  // cannot hold so many.
  size_t CompactCount(size_t min_bytes);
  std::string_view String();
  size_t Count(size_t min_bytes);  // the old form, four bytes
  void SkipTags();

  bool ok() const { return ok_; }
  size_t remaining() const { return static_cast<size_t>(end_ - position_); }
  const char* position() const { return position_; }
  // kInternal "malformed <what>" after a fault. Bytes left over are fine: newer brokers may say
  // more.
  Status Finish(std::string_view what) const;

 private:
  template <typename T>
  T Fixed();
  size_t CheckedCount(uint64_t count, size_t min_bytes);

  const char* position_;
  const char* end_;
  bool ok_ = true;
};

// Reads `T` in network order from memory that holds it.
template <typename T>
T LoadBigEndian(const char* from) {
  static_assert(std::endian::native == std::endian::little);
  T value;
  std::memcpy(&value, from, sizeof value);
  if constexpr (sizeof(T) == 2)
    return static_cast<T>(__builtin_bswap16(static_cast<uint16_t>(value)));
  if constexpr (sizeof(T) == 4)
    return static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(value)));
  if constexpr (sizeof(T) == 8)
    return static_cast<T>(__builtin_bswap64(static_cast<uint64_t>(value)));
  return value;
}

template <typename T>
void KafkaWriter::Fixed(T value) {
  char raw[sizeof value];
  const T swapped = LoadBigEndian<T>(reinterpret_cast<const char*>(&value));
  std::memcpy(raw, &swapped, sizeof value);
  out_->append(raw, sizeof value);
}

template <typename T>
T KafkaReader::Fixed() {
  if (!ok_ || remaining() < sizeof(T)) {
    ok_ = false;
    return T{};
  }
  const T value = LoadBigEndian<T>(position_);
  position_ += sizeof(T);
  return value;
}

}  // namespace millrace::worker
