#include "worker/window/quantile_sketch.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace millrace::worker {
namespace {

constexpr char kVersion = 1;
constexpr double kGamma = (1 + QuantileSketch::kAccuracy) / (1 - QuantileSketch::kAccuracy);
// Smallest magnitude that is told from zero.
constexpr double kSmallest = 1e-300;
// Buckets of all doubles lie within this distance of 0.
constexpr int32_t kBucketBound = 40'000;

int32_t BucketOf(double magnitude) {
  static const double kScale = 1 / std::log(kGamma);
  return static_cast<int32_t>(std::ceil(std::log(magnitude) * kScale));
}

// Middle of bucket (gamma^(i-1), gamma^i] in relative terms.
double ValueOf(int32_t bucket) { return 2 * std::pow(kGamma, bucket) / (1 + kGamma); }

template <typename T>
void AppendRaw(T value, std::string* out) {
  out->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
bool ReadRaw(std::string_view* bytes, T* value) {
  if (bytes->size() < sizeof(T)) return false;
  std::memcpy(value, bytes->data(), sizeof(T));
  bytes->remove_prefix(sizeof(T));
  return true;
}

}  // namespace

void QuantileSketch::Buckets::Add(int32_t bucket, int64_t count) {
  if (counts.empty()) {
    first = bucket;
    counts.push_back(count);
    return;
  }
  const auto last = first + static_cast<int32_t>(counts.size()) - 1;
  if (bucket > last) {
    counts.resize(counts.size() + static_cast<size_t>(bucket - last));
    if (counts.size() > kMaxBuckets) {
      const size_t surplus = counts.size() - kMaxBuckets;
      for (size_t i = 0; i < surplus; ++i) counts[surplus] += counts[i];
      counts.erase(counts.begin(), counts.begin() + static_cast<std::ptrdiff_t>(surplus));
      first += static_cast<int32_t>(surplus);
    }
  } else if (bucket < first) {
    const auto room = static_cast<int32_t>(kMaxBuckets - counts.size());
    const int32_t grow = std::min(room, first - bucket);
    counts.insert(counts.begin(), static_cast<size_t>(grow), 0);
    first -= grow;
    bucket = std::max(bucket, first);
  }
  counts[static_cast<size_t>(bucket - first)] += count;
}

void QuantileSketch::Add(double value) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  value = std::clamp(value, -kLargest, kLargest);
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = count_ == 0 ? value : std::max(max_, value);
  ++count_;
  const double magnitude = std::abs(value);
  if (magnitude < kSmallest) {
    ++zeros_;
  } else {
    (value > 0 ? positive_ : negative_).Add(BucketOf(magnitude), 1);
  }
}

double QuantileSketch::Quantile(double q) const {
  auto rank = static_cast<int64_t>(std::floor(q * static_cast<double>(count_ - 1)));
  double found = 0;
  const auto walk = [&](const Buckets& buckets, size_t i, double sign) {
    rank -= buckets.counts[i];
    if (rank >= 0) return false;
    found = sign * ValueOf(buckets.first + static_cast<int32_t>(i));
    return true;
  };
  bool done = false;
  for (size_t i = negative_.counts.size(); i-- > 0 && !done;) done = walk(negative_, i, -1);
  if (!done && (rank -= zeros_) < 0) done = true;
  for (size_t i = 0; i < positive_.counts.size() && !done; ++i) done = walk(positive_, i, 1);
  return std::clamp(done ? found : max_, min_, max_);
}

void QuantileSketch::Encode(std::string* out) const {
  out->push_back(kVersion);
  AppendRaw(min_, out);
  AppendRaw(max_, out);
  AppendRaw(zeros_, out);
  for (const Buckets* buckets : {&negative_, &positive_}) {
    AppendRaw(static_cast<uint32_t>(buckets->counts.size()), out);
    AppendRaw(buckets->first, out);
    for (const int64_t count : buckets->counts) AppendRaw(count, out);
  }
}

Status QuantileSketch::MergeEncoded(std::string_view bytes) {
  const Status damaged = InternalError("a stored quantile sketch is damaged");
  double min, max;
  int64_t zeros;
  if (bytes.empty() || bytes[0] != kVersion) return damaged;
  bytes.remove_prefix(1);
  if (!ReadRaw(&bytes, &min) || !ReadRaw(&bytes, &max) || !ReadRaw(&bytes, &zeros)) return damaged;
  int64_t added = zeros;
  for (Buckets* buckets : {&negative_, &positive_}) {
    uint32_t size;
    int32_t first;
    if (!ReadRaw(&bytes, &size) || !ReadRaw(&bytes, &first)) return damaged;
    if (size > kMaxBuckets || bytes.size() < size_t{size} * 8 || std::abs(first) > kBucketBound) {
      return damaged;
    }
    for (uint32_t i = size; i-- > 0;) {
      int64_t count;
      std::memcpy(&count, bytes.data() + size_t{i} * 8, 8);
      if (count != 0) buckets->Add(first + static_cast<int32_t>(i), count);
      added += count;
    }
    bytes.remove_prefix(size_t{size} * 8);
  }
  if (!bytes.empty()) return damaged;
  zeros_ += zeros;
  if (added > 0) {
    min_ = count_ == 0 ? min : std::min(min_, min);
    max_ = count_ == 0 ? max : std::max(max_, max);
  }
  count_ += added;
  return OkStatus();
}

}  // namespace millrace::worker
