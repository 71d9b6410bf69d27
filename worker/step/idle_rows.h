#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <queue>
#include <utility>
#include <vector>

namespace millrace::worker {

// When the rows of a KeyTable were last touched, and which have been idle for `ttl` microseconds.
// Holds one queue entry per row, at or before its expiry: O(log n) per row and ttl, O(1) per touch.
// Rows touched before the clock has begun count from its beginning on. Thread-compatible.
class IdleRows {
 public:
  explicit IdleRows(int64_t ttl) : ttl_(ttl) {}

  // `time` is the clock when the row had a record; a time of the beginning means not begun.
  void Touch(uint32_t row, int64_t time) {
    if (row >= touched_.size()) {
      touched_.resize(row + row / 2 + 16, kBeginning);
      queued_.resize(touched_.size());
    }
    touched_[row] = time;
    if (queued_[row] != 0) return;
    queued_[row] = 1;
    expiries_.emplace(Begun(time) ? time + ttl_ : kBeginning, row);
  }
  int64_t touched(uint32_t row) const { return touched_[row]; }
  // True when Take has something to look at.
  bool due(int64_t now) const {
    return Begun(now) && !expiries_.empty() && expiries_.top().first <= now;
  }
  // Calls drop(row) for live rows that are idle and restart(row) for those whose time counts from
  // `now`. Rows that are not live are forgotten.
  template <typename IsLive, typename Drop, typename Restart>
  void Take(int64_t now, IsLive is_live, Drop drop, Restart restart) {
    while (due(now)) {
      const uint32_t row = expiries_.top().second;
      expiries_.pop();
      queued_[row] = 0;
      if (!is_live(row)) continue;
      if (!Begun(touched_[row])) {
        Touch(row, now);
        restart(row);
      } else if (touched_[row] + ttl_ <= now) {
        drop(row);
      } else {
        Touch(row, touched_[row]);
      }
    }
  }

 private:
  using Expiry = std::pair<int64_t, uint32_t>;  // earliest expiry, row
  static constexpr int64_t kBeginning = std::numeric_limits<int64_t>::min();
  static bool Begun(int64_t time) { return time > kBeginning / 2; }

  int64_t ttl_;
  std::vector<int64_t> touched_;
  std::vector<uint8_t> queued_;
  std::priority_queue<Expiry, std::vector<Expiry>, std::greater<>> expiries_;
};

}  // namespace millrace::worker
