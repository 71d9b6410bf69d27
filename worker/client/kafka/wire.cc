#include "worker/client/kafka/wire.h"

namespace millrace::worker {

void KafkaWriter::Uvarint(uint64_t value) {
  while (value >= 0x80) {
    I8(static_cast<int8_t>(static_cast<uint8_t>(value) | 0x80));
    value >>= 7;
  }
  I8(static_cast<int8_t>(value));
}

uint64_t KafkaReader::Uvarint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    const auto byte = static_cast<uint8_t>(I8());
    value |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if ((byte & 0x80) == 0) return value;
  }
  ok_ = false;
  return 0;
}

std::string_view KafkaReader::Raw(uint64_t size) {
  if (!ok_ || size > remaining()) {
    ok_ = false;
    return {};
  }
  const std::string_view result(position_, size);
  position_ += size;
  return result;
}

std::string_view KafkaReader::CompactString(bool* is_null) {
  const uint64_t size = Uvarint();
  if (is_null != nullptr) *is_null = size == 0;
  return size == 0 ? std::string_view() : Raw(size - 1);
}

size_t KafkaReader::CheckedCount(uint64_t count, size_t min_bytes) {
  if (count > remaining() / min_bytes) ok_ = false;
  return ok_ ? count : 0;
}

size_t KafkaReader::CompactCount(size_t min_bytes) {
  const uint64_t count = Uvarint();
  return count == 0 ? 0 : CheckedCount(count - 1, min_bytes);
}

size_t KafkaReader::Count(size_t min_bytes) {
  const int32_t count = I32();
  return count <= 0 ? 0 : CheckedCount(static_cast<uint64_t>(count), min_bytes);
}

std::string_view KafkaReader::String() {
  const int16_t size = I16();
  return size <= 0 ? std::string_view() : Raw(static_cast<uint64_t>(size));
}

void KafkaReader::SkipTags() {
  const size_t count = CheckedCount(Uvarint(), 2);
  for (size_t i = 0; i < count && ok_; ++i) {
    Uvarint();
    Raw(Uvarint());
  }
}

Status KafkaReader::Finish(std::string_view what) const {
  if (ok_) return OkStatus();
  return InternalError("malformed " + std::string(what));
}

}  // namespace millrace::worker
