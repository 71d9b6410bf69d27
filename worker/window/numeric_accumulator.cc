#include <algorithm>
#include <cmath>

#include "worker/window/accumulator.h"

namespace millrace::worker {
namespace {

template <typename T>
const std::vector<T>& Values(const Column& column);
template <>
const std::vector<int64_t>& Values(const Column& column) {
  return column.ints;
}
template <>
const std::vector<uint64_t>& Values(const Column& column) {
  return column.uints;
}
template <>
const std::vector<double>& Values(const Column& column) {
  return column.doubles;
}

void Append(Column* out, int64_t value) { out->AppendInt(value); }
void Append(Column* out, uint64_t value) { out->AppendUint(value); }
void Append(Column* out, double value) { out->AppendDouble(value); }

// True when a + b does not fit.
bool AddTo(int64_t* a, int64_t b) { return __builtin_add_overflow(*a, b, a); }
bool AddTo(uint64_t* a, uint64_t b) { return __builtin_add_overflow(*a, b, a); }
bool AddTo(double* a, double b) {
  *a += b;
  return false;
}
bool TakeFrom(int64_t* a, int64_t b) { return __builtin_sub_overflow(*a, b, a); }
bool TakeFrom(uint64_t* a, uint64_t b) { return __builtin_sub_overflow(*a, b, a); }
bool TakeFrom(double* a, double b) {
  *a -= b;
  return false;
}

class CountAccumulator final : public Accumulator {
 public:
  void Resize(size_t rows) override {
    if (rows > counts_.size()) counts_.resize(rows);
  }
  Status Update(const UpdateArgs& args) override {
    int64_t* counts = counts_.data();
    ForEachRecord(args, [counts](uint32_t row, size_t) { ++counts[row]; });
    return OkStatus();
  }
  Status Merge(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
               size_t begin) override {
    const int64_t* add = partials[0]->ints.data() + begin;
    for (size_t i = 0; i < rows.size(); ++i) counts_[rows[i]] += add[i];
    return OkStatus();
  }
  Status Subtract(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
                  size_t begin) override {
    const int64_t* take = partials[0]->ints.data() + begin;
    for (size_t i = 0; i < rows.size(); ++i) counts_[rows[i]] -= take[i];
    return OkStatus();
  }
  void AppendPartials(std::span<const uint32_t> rows,
                      std::span<const ColumnPtr> partials) const override {
    AppendResults(rows, partials[0].get());
  }
  void AppendResults(std::span<const uint32_t> rows, Column* out) const override {
    for (const uint32_t row : rows) out->AppendInt(counts_[row]);
  }
  void Reset(std::span<const uint32_t> rows) override {
    for (const uint32_t row : rows) counts_[row] = 0;
  }
  size_t ByteSize() const override { return counts_.size() * sizeof(int64_t); }

 private:
  std::vector<int64_t> counts_;
};

// sum and avg: the sum and how many values it has.
template <typename T>
class SumAccumulator final : public Accumulator {
 public:
  explicit SumAccumulator(const AggregateFunction& function)
      : average_(function.kind == AggregateKind::kAvg),
        // avg of durations is in seconds.
        unit_(function.argument.kind() == Kind::kDuration ? 1e6 : 1.0) {}

  void Resize(size_t rows) override {
    if (rows > cells_.size()) cells_.resize(rows);
  }
  Status Update(const UpdateArgs& args) override {
    const T* values = Values<T>(*args.arguments[0]).data();
    Cell* cells = cells_.data();
    bool overflow = false;
    uint32_t bad = 0;
    ForEachRecord(args, [&](uint32_t row, size_t i) {
      ++cells[row].count;
      if (AddTo(&cells[row].sum, values[i])) [[unlikely]] {
        overflow = true;
        bad = row;
      }
    });
    return overflow ? Overflow(bad) : OkStatus();
  }
  Status Merge(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
               size_t begin) override {
    const T* sums = Values<T>(*partials[0]).data() + begin;
    const int64_t* counts = partials[1]->ints.data() + begin;
    for (size_t i = 0; i < rows.size(); ++i) {
      Cell& cell = cells_[rows[i]];
      cell.count += counts[i];
      if (AddTo(&cell.sum, sums[i])) return Overflow(rows[i]);
    }
    return OkStatus();
  }
  Status Subtract(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
                  size_t begin) override {
    const T* sums = Values<T>(*partials[0]).data() + begin;
    const int64_t* counts = partials[1]->ints.data() + begin;
    for (size_t i = 0; i < rows.size(); ++i) {
      Cell& cell = cells_[rows[i]];
      cell.count -= counts[i];
      if (TakeFrom(&cell.sum, sums[i])) return Overflow(rows[i]);
      if (cell.count == 0) cell.sum = 0;  // no trace of rounding in an empty group
    }
    return OkStatus();
  }
  void AppendPartials(std::span<const uint32_t> rows,
                      std::span<const ColumnPtr> partials) const override {
    for (const uint32_t row : rows) {
      Append(partials[0].get(), cells_[row].sum);
      partials[1]->AppendInt(cells_[row].count);
    }
  }
  void AppendResults(std::span<const uint32_t> rows, Column* out) const override {
    for (const uint32_t row : rows) {
      const Cell& cell = cells_[row];
      if (cell.count == 0) {
        out->AppendNull();
      } else if (average_) {
        out->AppendDouble(static_cast<double>(cell.sum) / unit_ / static_cast<double>(cell.count));
      } else {
        Append(out, cell.sum);
      }
    }
  }
  void Reset(std::span<const uint32_t> rows) override {
    for (const uint32_t row : rows) cells_[row] = Cell{};
  }
  size_t ByteSize() const override { return cells_.size() * sizeof(Cell); }

 private:
  struct Cell {
    T sum = 0;
    int64_t count = 0;
  };
  Status Overflow(uint32_t row) {
    return Fail(row, std::string(average_ ? "avg" : "sum") + "() overflows 64 bits; use double()");
  }

  const bool average_;
  const double unit_;
  std::vector<Cell> cells_;
};

// Running mean and sum of squared differences: Welford (Technometrics 4, 1962) per record, Chan,
// Golub and LeVeque (1979) for merging and, solved for the other side, for taking out.
class VarianceAccumulator final : public Accumulator {
 public:
  explicit VarianceAccumulator(const AggregateFunction& function)
      : kind_(function.argument.kind()), root_(function.kind == AggregateKind::kStddev) {}

  void Resize(size_t rows) override {
    if (rows > cells_.size()) cells_.resize(rows);
  }
  Status Update(const UpdateArgs& args) override {
    const Column& column = *args.arguments[0];
    if (kind_ == Kind::kDouble) {
      UpdateFrom(args, column.doubles.data());
    } else if (kind_ == Kind::kUint) {
      UpdateFrom(args, column.uints.data());
    } else {
      UpdateFrom(args, column.ints.data());
    }
    return OkStatus();
  }
  Status Merge(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
               size_t begin) override {
    for (size_t i = 0; i < rows.size(); ++i) {
      const Cell b = Read(partials, begin + i);
      Cell& a = cells_[rows[i]];
      if (b.count == 0) continue;
      if (a.count == 0) {
        a = b;
        continue;
      }
      const auto na = static_cast<double>(a.count), nb = static_cast<double>(b.count);
      const double delta = b.mean - a.mean;
      a.mean += delta * nb / (na + nb);
      a.m2 += b.m2 + delta * delta * na * nb / (na + nb);
      a.count += b.count;
    }
    return OkStatus();
  }
  Status Subtract(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
                  size_t begin) override {
    for (size_t i = 0; i < rows.size(); ++i) {
      const Cell b = Read(partials, begin + i);
      Cell& total = cells_[rows[i]];
      if (b.count == 0) continue;
      if (total.count <= b.count) {
        total = Cell{};
        continue;
      }
      const auto n = static_cast<double>(total.count), nb = static_cast<double>(b.count);
      const double mean = (n * total.mean - nb * b.mean) / (n - nb);
      const double delta = b.mean - mean;
      total.m2 = std::max(0.0, total.m2 - b.m2 - delta * delta * (n - nb) * nb / n);
      total.mean = mean;
      total.count -= b.count;
    }
    return OkStatus();
  }
  void AppendPartials(std::span<const uint32_t> rows,
                      std::span<const ColumnPtr> partials) const override {
    for (const uint32_t row : rows) {
      partials[0]->AppendInt(cells_[row].count);
      partials[1]->AppendDouble(cells_[row].mean);
      partials[2]->AppendDouble(cells_[row].m2);
    }
  }
  void AppendResults(std::span<const uint32_t> rows, Column* out) const override {
    for (const uint32_t row : rows) {
      const Cell& cell = cells_[row];
      if (cell.count == 0) {
        out->AppendNull();
        continue;
      }
      const double variance = cell.m2 / static_cast<double>(cell.count);
      out->AppendDouble(root_ ? std::sqrt(variance) : variance);
    }
  }
  void Reset(std::span<const uint32_t> rows) override {
    for (const uint32_t row : rows) cells_[row] = Cell{};
  }
  size_t ByteSize() const override { return cells_.size() * sizeof(Cell); }

 private:
  struct Cell {
    int64_t count = 0;
    double mean = 0;
    double m2 = 0;
  };
  static Cell Read(std::span<const ColumnRef> partials, size_t i) {
    return {partials[0]->ints[i], partials[1]->doubles[i], partials[2]->doubles[i]};
  }
  template <typename T>
  void UpdateFrom(const UpdateArgs& args, const T* values) {
    Cell* cells = cells_.data();
    ForEachRecord(args, [&](uint32_t row, size_t i) {
      Cell& cell = cells[row];
      const auto x = static_cast<double>(values[i]);
      const double delta = x - cell.mean;
      cell.mean += delta / static_cast<double>(++cell.count);
      cell.m2 += delta * (x - cell.mean);
    });
  }

  const Kind kind_;
  const bool root_;
  std::vector<Cell> cells_;
};

}  // namespace

std::unique_ptr<Accumulator> MakeNumericAccumulator(const AggregateFunction& function) {
  if (function.kind == AggregateKind::kCount) return std::make_unique<CountAccumulator>();
  if (function.kind == AggregateKind::kVariance || function.kind == AggregateKind::kStddev) {
    return std::make_unique<VarianceAccumulator>(function);
  }
  if (function.argument.kind() == Kind::kDouble) {
    return std::make_unique<SumAccumulator<double>>(function);
  }
  if (function.argument.kind() == Kind::kUint) {
    return std::make_unique<SumAccumulator<uint64_t>>(function);
  }
  return std::make_unique<SumAccumulator<int64_t>>(function);
}

}  // namespace millrace::worker
