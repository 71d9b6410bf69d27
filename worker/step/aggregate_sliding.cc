#include "worker/step/aggregate_sliding.h"

#include <algorithm>

#include "worker/data/record_batch.h"

namespace millrace::worker {
namespace {

class Totals final : public SlidingWindows {
 public:
  Totals(const AggregateLayout* layout, const SliceGrid* grid, const SliceMap* slices)
      : layout_(layout), grid_(grid), slices_(slices) {}

  Result<const GroupTable*> At(int64_t start) override {
    const int64_t end = start + grid_->length();
    if (table_ == nullptr || start >= end_) {
      table_ = std::make_unique<GroupTable>(layout_);
      slices_of_.clear();
      begin_ = end_ = start;
    }
    RETURN_IF_ERROR(DropBefore(start));
    begin_ = start;
    for (auto it = slices_->lower_bound(end_); it != slices_->end() && it->first < end; ++it) {
      RETURN_IF_ERROR(table_->MergeAll(*it->second));
      for (const uint32_t row : table_->latest_rows()) Count(row);
    }
    end_ = end;
    return table_.get();
  }

  bool Holds(int64_t slice) const override {
    return table_ != nullptr && slice >= begin_ && slice < end_;
  }

  Status Merged(int64_t, std::span<const std::string_view> keys,
                std::span<const ColumnRef> partials, size_t begin) override {
    return table_->Merge(keys, partials, begin);
  }

  void Inserted(int64_t, std::string_view key) override { Count(table_->RowsOf({&key, 1})[0]); }

  Status DropBefore(int64_t start) override {
    if (table_ == nullptr) return OkStatus();
    const int64_t stop = std::min(start, end_);
    for (auto it = slices_->lower_bound(begin_); it != slices_->end() && it->first < stop; ++it) {
      RETURN_IF_ERROR(table_->SubtractRows(*it->second, it->second->LiveRows()));
      for (const uint32_t row : table_->latest_rows()) {
        if (--slices_of_[row] == 0) table_->Erase(row);
      }
    }
    begin_ = std::max(begin_, stop);
    return OkStatus();
  }

 private:
  void Count(uint32_t row) {
    if (row >= slices_of_.size()) slices_of_.resize(row + row / 2 + 16);
    ++slices_of_[row];
  }

  const AggregateLayout* layout_;
  const SliceGrid* grid_;
  const SliceMap* slices_;
  std::unique_ptr<GroupTable> table_;
  std::vector<uint32_t> slices_of_;  // by row: how many slices have the key
  int64_t begin_ = 0;                // slices [begin_, end_) are in the totals
  int64_t end_ = 0;
};

class Blocks final : public SlidingWindows {
 public:
  Blocks(const AggregateLayout* layout, const SliceGrid* grid, const SliceMap* slices)
      : layout_(layout), grid_(grid), slices_(slices) {}

  Result<const GroupTable*> At(int64_t start) override {
    const int64_t block = FloorTo(start, grid_->length());
    if (!active_ || block != block_) Clear();
    active_ = true;
    block_ = block;
    if (!tails_.contains(start)) RETURN_IF_ERROR(BuildTails(start, border()));
    const GroupTable& tail = *tails_.at(start);
    if (start == block) return &tail;
    RETURN_IF_ERROR(ExtendHead(border(), start + grid_->length()));
    window_ = std::make_unique<GroupTable>(layout_);
    RETURN_IF_ERROR(window_->MergeAll(tail));
    RETURN_IF_ERROR(window_->MergeAll(*head_));
    return window_.get();
  }

  bool Holds(int64_t slice) const override {
    return active_ && (slice < border() ? !tails_.empty() : head_ != nullptr && slice < head_end_);
  }

  Status Merged(int64_t slice, std::span<const std::string_view>, std::span<const ColumnRef>,
                size_t) override {
    if (slice < border()) {
      tails_.clear();
    } else {
      head_.reset();
    }
    return OkStatus();
  }

  void Inserted(int64_t, std::string_view) override {}

  Status DropBefore(int64_t start) override {
    while (!tails_.empty() && tails_.begin()->first < start) tails_.erase(tails_.begin());
    return OkStatus();
  }

 private:
  int64_t border() const { return block_ + grid_->length(); }

  void Clear() {
    tails_.clear();
    head_.reset();
  }

  // Tails of all windows that start in [from, border), last first: each is its own slices up to the
  // next start, then the next tail.
  Status BuildTails(int64_t from, int64_t border) {
    tails_.clear();
    int64_t next = border;
    for (int64_t start = grid_->LastWindowOf(border - 1); start >= from; start -= grid_->slide()) {
      auto tail = std::make_unique<GroupTable>(layout_);
      for (auto it = slices_->lower_bound(start); it != slices_->end() && it->first < next; ++it) {
        RETURN_IF_ERROR(tail->MergeAll(*it->second));
      }
      if (next != border) RETURN_IF_ERROR(tail->MergeAll(*tails_.at(next)));
      tails_.emplace(start, std::move(tail));
      next = start;
    }
    return OkStatus();
  }

  // The head is all slices of the next block up to `end`, in order.
  Status ExtendHead(int64_t border, int64_t end) {
    if (head_ == nullptr) {
      head_ = std::make_unique<GroupTable>(layout_);
      head_end_ = border;
    }
    for (auto it = slices_->lower_bound(head_end_); it != slices_->end() && it->first < end; ++it) {
      RETURN_IF_ERROR(head_->MergeAll(*it->second));
    }
    head_end_ = std::max(head_end_, end);
    return OkStatus();
  }

  const AggregateLayout* layout_;
  const SliceGrid* grid_;
  const SliceMap* slices_;
  bool active_ = false;
  int64_t block_ = 0;  // start of the block whose windows are being formed
  std::map<int64_t, std::unique_ptr<GroupTable>> tails_;  // by window start
  std::unique_ptr<GroupTable> head_;
  int64_t head_end_ = 0;
  std::unique_ptr<GroupTable> window_;
};

}  // namespace

std::unique_ptr<SlidingWindows> MakeTotals(const AggregateLayout* layout, const SliceGrid* grid,
                                           const SliceMap* slices) {
  return std::make_unique<Totals>(layout, grid, slices);
}

std::unique_ptr<SlidingWindows> MakeBlocks(const AggregateLayout* layout, const SliceGrid* grid,
                                           const SliceMap* slices) {
  return std::make_unique<Blocks>(layout, grid, slices);
}

}  // namespace millrace::worker
