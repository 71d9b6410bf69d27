#pragma once

#include <cstdint>

#include "crds/base/clock.h"

namespace millrace::worker {

// Largest multiple of `width` (plus `offset`) that is not after `time`. Requires: width > 0.
inline int64_t FloorTo(int64_t time, int64_t width, int64_t offset = 0) {
  const int64_t shifted = time - offset;
  int64_t quotient = shifted / width;
  if (shifted % width < 0) --quotient;
  return quotient * width + offset;
}

// The windows [start, start + length) with starts at multiples of `slide` (plus `offset`) since the
// epoch, and the slices they are made of: every record falls into exactly one slice, every window
// is a whole number of slices (panes: Li et al., "No Pane, No Gain", SIGMOD Record 2005). Pure
// arithmetic in microseconds; a value, thread-safe.
class SliceGrid {
 public:
  // One slice without end, for batch and global windows.
  SliceGrid() = default;
  // Requires: 0 < slide <= length.
  SliceGrid(Duration length, Duration slide, Duration offset = Duration{0});

  bool timed() const { return length_ > 0; }
  bool sliding() const { return slide_ != length_; }
  int64_t length() const { return length_; }
  int64_t slide() const { return slide_; }
  // Width of a slice: gcd(length, slide).
  int64_t width() const { return width_; }
  int64_t slices_per_window() const { return length_ / width_; }

  int64_t SliceOf(int64_t time) const { return timed() ? FloorTo(time, width_, offset_) : 0; }
  // Start of the last window that holds `time`; the first one starts at FirstWindowOf.
  int64_t LastWindowOf(int64_t time) const { return FloorTo(time, slide_, offset_); }
  int64_t FirstWindowOf(int64_t time) const {
    return FloorTo(time - length_, slide_, offset_) + slide_;
  }
  // End of the last window that holds `time`: from there on a record of that time changes nothing.
  int64_t LastEndOf(int64_t time) const { return LastWindowOf(time) + length_; }
  // Start of the first window that ends after `time`.
  int64_t FirstOpenWindow(int64_t time) const { return FirstWindowOf(time); }

 private:
  int64_t length_ = 0;
  int64_t slide_ = 0;
  int64_t offset_ = 0;
  int64_t width_ = 0;
};

}  // namespace millrace::worker
