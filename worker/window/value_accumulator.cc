#include "worker/window/accumulator.h"
#include "worker/window/value_store.h"

namespace millrace::worker {
namespace {

class MinMaxAccumulator final : public Accumulator {
 public:
  explicit MinMaxAccumulator(const AggregateFunction& function)
      : sign_(function.kind == AggregateKind::kMin ? 1 : -1), store_(function.argument) {}

  void Resize(size_t rows) override {
    if (rows <= present_.size()) return;
    present_.resize(rows);
    store_.Resize(rows);
  }
  Status Update(const UpdateArgs& args) override {
    const Column& column = *args.arguments[0];
    ForEachRecord(args, [&](uint32_t row, size_t i) { Offer(row, column, i); });
    return OkStatus();
  }
  Status Merge(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
               size_t begin) override {
    const Column& column = *partials[0];
    for (size_t i = 0; i < rows.size(); ++i) {
      if (!column.IsNull(begin + i)) Offer(rows[i], column, begin + i);
    }
    return OkStatus();
  }
  void AppendPartials(std::span<const uint32_t> rows,
                      std::span<const ColumnPtr> partials) const override {
    store_.Append(rows, present_, partials[0].get());
  }
  void AppendResults(std::span<const uint32_t> rows, Column* out) const override {
    store_.Append(rows, present_, out);
  }
  void Reset(std::span<const uint32_t> rows) override {
    for (const uint32_t row : rows) {
      present_[row] = 0;
      store_.Clear(row);
    }
  }
  size_t ByteSize() const override { return present_.size() + store_.ByteSize(); }

 private:
  void Offer(uint32_t row, const Column& column, size_t i) {
    if (present_[row] != 0 && sign_ * store_.Compare(row, column, i) <= 0) return;
    present_[row] = 1;
    store_.Set(row, column, i);
  }

  const int sign_;
  ValueStore store_;
  std::vector<uint8_t> present_;
};

// first and last by time; equal times by arrival.
class FirstLastAccumulator final : public Accumulator {
 public:
  explicit FirstLastAccumulator(const AggregateFunction& function)
      : last_(function.kind == AggregateKind::kLast), store_(function.argument) {}

  void Resize(size_t rows) override {
    if (rows <= present_.size()) return;
    present_.resize(rows);
    times_.resize(rows);
    store_.Resize(rows);
  }
  Status Update(const UpdateArgs& args) override {
    const Column& column = *args.arguments[0];
    ForEachRecord(args, [&](uint32_t row, size_t i) {
      Offer(row, args.times == nullptr ? 0 : args.times[i], column, i);
    });
    return OkStatus();
  }
  Status Merge(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
               size_t begin) override {
    for (size_t i = 0; i < rows.size(); ++i) {
      if (partials[0]->IsNull(begin + i)) continue;
      Offer(rows[i], partials[1]->ints[begin + i], *partials[0], begin + i);
    }
    return OkStatus();
  }
  void AppendPartials(std::span<const uint32_t> rows,
                      std::span<const ColumnPtr> partials) const override {
    store_.Append(rows, present_, partials[0].get());
    for (const uint32_t row : rows) partials[1]->AppendInt(times_[row]);
  }
  void AppendResults(std::span<const uint32_t> rows, Column* out) const override {
    store_.Append(rows, present_, out);
  }
  void Reset(std::span<const uint32_t> rows) override {
    for (const uint32_t row : rows) {
      present_[row] = 0;
      times_[row] = 0;
      store_.Clear(row);
    }
  }
  size_t ByteSize() const override { return present_.size() * 9 + store_.ByteSize(); }

 private:
  void Offer(uint32_t row, int64_t time, const Column& column, size_t i) {
    if (present_[row] != 0 && (last_ ? time < times_[row] : time >= times_[row])) return;
    present_[row] = 1;
    times_[row] = time;
    store_.Set(row, column, i);
  }

  const bool last_;
  ValueStore store_;
  std::vector<uint8_t> present_;
  std::vector<int64_t> times_;
};

// argMin and argMax; among equals the earliest by time, then by arrival.
class ArgAccumulator final : public Accumulator {
 public:
  explicit ArgAccumulator(const AggregateFunction& function)
      : sign_(function.kind == AggregateKind::kArgMin ? 1 : -1),
        values_(function.argument),
        keys_(function.by) {}

  void Resize(size_t rows) override {
    if (rows <= present_.size()) return;
    present_.resize(rows);
    times_.resize(rows);
    values_.Resize(rows);
    keys_.Resize(rows);
  }
  Status Update(const UpdateArgs& args) override {
    ForEachRecord(args, [&](uint32_t row, size_t i) {
      Offer(row, args.times == nullptr ? 0 : args.times[i], *args.arguments[0], *args.arguments[1],
            i);
    });
    return OkStatus();
  }
  Status Merge(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
               size_t begin) override {
    for (size_t i = 0; i < rows.size(); ++i) {
      if (partials[1]->IsNull(begin + i)) continue;
      Offer(rows[i], partials[2]->ints[begin + i], *partials[0], *partials[1], begin + i);
    }
    return OkStatus();
  }
  void AppendPartials(std::span<const uint32_t> rows,
                      std::span<const ColumnPtr> partials) const override {
    values_.Append(rows, present_, partials[0].get());
    keys_.Append(rows, present_, partials[1].get());
    for (const uint32_t row : rows) partials[2]->AppendInt(times_[row]);
  }
  void AppendResults(std::span<const uint32_t> rows, Column* out) const override {
    values_.Append(rows, present_, out);
  }
  void Reset(std::span<const uint32_t> rows) override {
    for (const uint32_t row : rows) {
      present_[row] = 0;
      times_[row] = 0;
      values_.Clear(row);
      keys_.Clear(row);
    }
  }
  size_t ByteSize() const override {
    return present_.size() * 9 + values_.ByteSize() + keys_.ByteSize();
  }

 private:
  void Offer(uint32_t row, int64_t time, const Column& values, const Column& keys, size_t i) {
    if (present_[row] != 0) {
      const int order = sign_ * keys_.Compare(row, keys, i);
      if (order < 0 || (order == 0 && time >= times_[row])) return;
    }
    present_[row] = 1;
    times_[row] = time;
    values_.Set(row, values, i);
    keys_.Set(row, keys, i);
  }

  const int sign_;
  ValueStore values_;
  ValueStore keys_;
  std::vector<uint8_t> present_;
  std::vector<int64_t> times_;
};

}  // namespace

std::unique_ptr<Accumulator> MakeValueAccumulator(const AggregateFunction& function) {
  if (function.kind == AggregateKind::kMin || function.kind == AggregateKind::kMax) {
    return std::make_unique<MinMaxAccumulator>(function);
  }
  if (function.kind == AggregateKind::kFirst || function.kind == AggregateKind::kLast) {
    return std::make_unique<FirstLastAccumulator>(function);
  }
  return std::make_unique<ArgAccumulator>(function);
}

}  // namespace millrace::worker
