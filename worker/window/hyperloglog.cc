#include "worker/window/hyperloglog.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

namespace millrace::worker {
namespace {

constexpr size_t kMaxSparse = 1024;
constexpr char kVersion = 1;
constexpr int kRankBits = 64 - HyperLogLog::kPrecision;

// Ertl 2017, algorithm 6.
double Sigma(double x) {
  if (x == 1.0) return INFINITY;
  double y = 1, z = x, previous;
  do {
    x *= x;
    previous = z;
    z += x * y;
    y += y;
  } while (z != previous);
  return z;
}

double Tau(double x) {
  if (x == 0.0 || x == 1.0) return 0;
  double y = 1, z = 1 - x, previous;
  do {
    x = std::sqrt(x);
    previous = z;
    y *= 0.5;
    z -= (1 - x) * (1 - x) * y;
  } while (z != previous);
  return z / 3;
}

}  // namespace

void HyperLogLog::Add(uint64_t hash) {
  const auto index = static_cast<uint32_t>(hash >> kRankBits);
  const uint64_t rest = hash << kPrecision;
  const int rank = rest == 0 ? kRankBits + 1 : std::countl_zero(rest) + 1;
  Set(index, static_cast<uint8_t>(rank));
}

void HyperLogLog::Set(uint32_t index, uint8_t rank) {
  if (!dense_.empty()) {
    dense_[index] = std::max(dense_[index], rank);
    return;
  }
  const auto at = std::lower_bound(sparse_.begin(), sparse_.end(), index << 8);
  if (at != sparse_.end() && *at >> 8 == index) {
    *at = std::max(*at, index << 8 | rank);
    return;
  }
  sparse_.insert(at, index << 8 | rank);
  if (sparse_.size() > kMaxSparse) MakeDense();
}

void HyperLogLog::MakeDense() {
  dense_.assign(kRegisters, 0);
  for (const uint32_t entry : sparse_) dense_[entry >> 8] = static_cast<uint8_t>(entry);
  std::vector<uint32_t>().swap(sparse_);
}

void HyperLogLog::Merge(const HyperLogLog& other) {
  for (const uint32_t entry : other.sparse_) Set(entry >> 8, static_cast<uint8_t>(entry));
  if (other.dense_.empty()) return;
  if (dense_.empty()) MakeDense();
  for (size_t i = 0; i < kRegisters; ++i) dense_[i] = std::max(dense_[i], other.dense_[i]);
}

int64_t HyperLogLog::Estimate() const {
  std::array<int64_t, kRankBits + 2> histogram{};
  for (const uint32_t entry : sparse_) ++histogram[entry & 0xff];
  for (const uint8_t rank : dense_) ++histogram[rank];
  if (dense_.empty()) histogram[0] = static_cast<int64_t>(kRegisters - sparse_.size());
  constexpr auto m = static_cast<double>(kRegisters);
  double z = m * Tau(1 - static_cast<double>(histogram[kRankBits + 1]) / m);
  for (int k = kRankBits; k >= 1; --k) z = 0.5 * (z + static_cast<double>(histogram[k]));
  z += m * Sigma(static_cast<double>(histogram[0]) / m);
  return std::llround(m * m / (2 * std::log(2.0)) / z);
}

void HyperLogLog::Encode(std::string* out) const {
  out->push_back(kVersion);
  if (dense_.empty()) {
    out->push_back('s');
    out->append(reinterpret_cast<const char*>(sparse_.data()), sparse_.size() * sizeof(uint32_t));
  } else {
    out->push_back('d');
    out->append(reinterpret_cast<const char*>(dense_.data()), dense_.size());
  }
}

Status HyperLogLog::MergeEncoded(std::string_view bytes) {
  const Status damaged = InternalError("a stored approxCountDistinct sketch is damaged");
  if (bytes.size() < 2 || bytes[0] != kVersion) return damaged;
  const char form = bytes[1];
  bytes.remove_prefix(2);
  if (form == 's' && bytes.size() % 4 == 0 && bytes.size() / 4 <= kMaxSparse) {
    for (size_t i = 0; i < bytes.size(); i += 4) {
      uint32_t entry;
      std::memcpy(&entry, bytes.data() + i, 4);
      if (entry >> 8 >= kRegisters || (entry & 0xff) > kRankBits + 1) return damaged;
      Set(entry >> 8, static_cast<uint8_t>(entry));
    }
    return OkStatus();
  }
  if (form != 'd' || bytes.size() != kRegisters) return damaged;
  if (dense_.empty()) MakeDense();
  for (size_t i = 0; i < kRegisters; ++i) {
    const auto rank = static_cast<uint8_t>(bytes[i]);
    if (rank > kRankBits + 1) return damaged;
    dense_[i] = std::max(dense_[i], rank);
  }
  return OkStatus();
}

}  // namespace millrace::worker
