#include "worker/window/slice_grid.h"

#include <numeric>

namespace millrace::worker {

SliceGrid::SliceGrid(Duration length, Duration slide, Duration offset)
    : length_(length.count()),
      slide_(slide.count()),
      offset_(offset.count()),
      width_(std::gcd(length.count(), slide.count())) {}

}  // namespace millrace::worker
