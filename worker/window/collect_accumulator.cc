#include <algorithm>
#include <string>

#include "worker/window/accumulator.h"
#include "worker/window/value_store.h"

namespace millrace::worker {
namespace {

// collect: every value with its time. The list is in order of time, equal times in order of
// arrival.
class CollectAccumulator final : public Accumulator {
 public:
  explicit CollectAccumulator(const AggregateFunction&) {}

  void Resize(size_t rows) override {
    if (rows > rows_.size()) rows_.resize(rows);
  }
  Status Update(const UpdateArgs& args) override {
    bool full = false;
    uint32_t bad = 0;
    ForEachRecord(args, [&](uint32_t row, size_t i) {
      if (Add(row, args.times == nullptr ? 0 : args.times[i], *args.arguments[0], i)) return;
      full = true;
      bad = row;
    });
    return full ? Full(bad) : OkStatus();
  }
  Status Merge(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
               size_t begin) override {
    const Column& values = *partials[0];
    const Column& times = *partials[1];
    for (size_t i = 0; i < rows.size(); ++i) {
      const size_t from = values.list_begin(begin + i), to = values.list_end(begin + i);
      const size_t time_from = times.list_begin(begin + i);
      if (times.list_end(begin + i) - time_from != to - from) {
        return InternalError("a stored list of values does not match its times");
      }
      for (size_t e = from; e < to; ++e) {
        const int64_t time = times.children[0]->ints[time_from + (e - from)];
        if (!Add(rows[i], time, *values.children[0], e)) return Full(rows[i]);
      }
    }
    return OkStatus();
  }
  void AppendPartials(std::span<const uint32_t> rows,
                      std::span<const ColumnPtr> partials) const override {
    AppendResults(rows, partials[0].get());
    for (const uint32_t row : rows) {
      for (const Item& item : Sorted(rows_[row])) partials[1]->children[0]->AppendInt(item.time);
      partials[1]->FinishList();
    }
  }
  void AppendResults(std::span<const uint32_t> rows, Column* out) const override {
    auto arena = std::make_shared<Arena>();
    AddOwnerDeep(arena, out->children[0].get());
    for (const uint32_t row : rows) {
      for (const Item& item : Sorted(rows_[row])) {
        std::string_view cell = std::string_view(rows_[row].cells).substr(item.offset);
        ReadCell(&cell, arena.get(), out->children[0].get());
      }
      out->FinishList();
    }
  }
  void Reset(std::span<const uint32_t> rows) override {
    for (const uint32_t row : rows) {
      bytes_ -= rows_[row].cells.size() + rows_[row].items.size() * sizeof(Item);
      rows_[row] = Row{};
    }
  }
  size_t ByteSize() const override { return rows_.size() * sizeof(Row) + bytes_; }

 private:
  struct Item {
    int64_t time;
    size_t offset;
  };
  struct Row {
    std::string cells;
    std::vector<Item> items;
  };

  Status Full(uint32_t row) {
    return Fail(row, "collect() holds at most " + std::to_string(kMaxCollected) + " values");
  }
  bool Add(uint32_t row, int64_t time, const Column& column, size_t i) {
    Row& target = rows_[row];
    if (target.items.size() >= kMaxCollected) return false;
    target.items.push_back({time, target.cells.size()});
    AppendCell(column, i, &target.cells);
    bytes_ += target.cells.size() - target.items.back().offset + sizeof(Item);
    return true;
  }
  static std::vector<Item> Sorted(const Row& row) {
    std::vector<Item> items = row.items;
    std::stable_sort(items.begin(), items.end(),
                     [](const Item& a, const Item& b) { return a.time < b.time; });
    return items;
  }
  std::vector<Row> rows_;
  size_t bytes_ = 0;
};

}  // namespace

std::unique_ptr<Accumulator> MakeCollectAccumulator(const AggregateFunction& function) {
  return std::make_unique<CollectAccumulator>(function);
}

}  // namespace millrace::worker
