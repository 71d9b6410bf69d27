#pragma once

#include <map>
#include <memory>
#include <vector>

#include "worker/window/group_table.h"
#include "worker/window/slice_grid.h"

namespace millrace::worker {

using SliceMap = std::map<int64_t, std::unique_ptr<GroupTable>>;  // slice start -> groups

// The groups of successive sliding windows, made from slices at a cost that does not depend on how
// many slices a window has. Derived data only: dropped at any time, it is built again from the
// slices with the same bytes. Thread-compatible; the map outlives it.
class SlidingWindows {
 public:
  virtual ~SlidingWindows() = default;
  // Groups of the window that starts at `start`; valid until the next call. Starts ascend.
  virtual Result<const GroupTable*> At(int64_t start) = 0;
  // Whether what was made from that slice is still in use: it has to be told of changes.
  virtual bool Holds(int64_t slice) const = 0;
  // Partial results that were merged into slice `slice`. Requires: Holds(slice).
  virtual Status Merged(int64_t slice, std::span<const std::string_view> keys,
                        std::span<const ColumnRef> partials, size_t begin) = 0;
  // A group was new in that slice. Called before Merged. Requires: Holds(slice).
  virtual void Inserted(int64_t slice, std::string_view key) = 0;
  // Slices before `start` are about to be dropped.
  virtual Status DropBefore(int64_t start) = 0;
};

// Running totals: slices that enter are added, slices that leave are subtracted. For integer
// arithmetic, which leaves no trace of what was subtracted.
std::unique_ptr<SlidingWindows> MakeTotals(const AggregateLayout* layout, const SliceGrid* grid,
                                           const SliceMap* slices);
// For everything else, doubles too: time is cut into blocks of one window length; a window is the
// tail of one block and the head of the next, both kept as running merges (van Herk, 1992; Gil and
// Werman, 1993: two stacks whose flips fall on block borders). Each slice is merged about three
// times whatever the length. Borders depend on time only, so the grouping of additions does too. A
// late record makes tails or head start over.
std::unique_ptr<SlidingWindows> MakeBlocks(const AggregateLayout* layout, const SliceGrid* grid,
                                           const SliceMap* slices);

}  // namespace millrace::worker
