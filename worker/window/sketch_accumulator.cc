#include <cmath>
#include <string>

#include "worker/data/record_batch.h"
#include "worker/window/accumulator.h"
#include "worker/window/hyperloglog.h"
#include "worker/window/quantile_sketch.h"

namespace millrace::worker {
namespace {

// What approxCountDistinct and quantile share: one sketch per row that travels as bytes; null when
// it is empty.
template <typename Sketch>
class SketchAccumulator : public Accumulator {
 public:
  void Resize(size_t rows) override {
    if (rows > sketches_.size()) sketches_.resize(rows);
  }
  Status Merge(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
               size_t begin) override {
    for (size_t i = 0; i < rows.size(); ++i) {
      if (partials[0]->IsNull(begin + i)) continue;
      RETURN_IF_ERROR(sketches_[rows[i]].MergeEncoded(partials[0]->strings[begin + i]));
    }
    return OkStatus();
  }
  void AppendPartials(std::span<const uint32_t> rows,
                      std::span<const ColumnPtr> partials) const override {
    auto arena = std::make_shared<Arena>();
    partials[0]->AddOwner(arena);
    std::string bytes;
    for (const uint32_t row : rows) {
      if (IsEmpty(sketches_[row])) {
        partials[0]->AppendNull();
        continue;
      }
      bytes.clear();
      sketches_[row].Encode(&bytes);
      partials[0]->AppendView(arena->Copy(bytes));
    }
  }
  void Reset(std::span<const uint32_t> rows) override {
    for (const uint32_t row : rows) sketches_[row] = Sketch{};
  }
  size_t ByteSize() const override {
    size_t bytes = sketches_.size() * sizeof(Sketch);
    for (const Sketch& sketch : sketches_) bytes += sketch.ByteSize();
    return bytes;
  }

 protected:
  static bool IsEmpty(const HyperLogLog& sketch) { return sketch.empty(); }
  static bool IsEmpty(const QuantileSketch& sketch) { return sketch.count() == 0; }

  std::vector<Sketch> sketches_;
};

class ApproxCountAccumulator final : public SketchAccumulator<HyperLogLog> {
 public:
  explicit ApproxCountAccumulator(const AggregateFunction& function)
      : type_(function.argument.AsRequired()),
        schema_(std::make_shared<Schema>(std::vector<Field>{{"value", type_}})) {}

  Status Update(const UpdateArgs& args) override {
    ColumnPtr values = std::make_shared<Column>(type_);
    if (args.all) {
      values->AppendAll(*args.arguments[0]);
    } else {
      values->AppendGather(*args.arguments[0], args.records);
    }
    values->valid.clear();
    const size_t count = values->size();
    Arena arena;
    std::vector<std::string_view> keys;
    KeyEncoder({0}).Encode(RecordBatch(schema_, {values}, count), &arena, &keys);
    for (size_t i = 0; i < count; ++i) {
      sketches_[args.rows[args.all ? i : args.records[i]]].Add(HashKey(keys[i]));
    }
    return OkStatus();
  }
  void AppendResults(std::span<const uint32_t> rows, Column* out) const override {
    for (const uint32_t row : rows) out->AppendInt(sketches_[row].Estimate());
  }

 private:
  const Type type_;
  const SchemaRef schema_;
};

class QuantileAccumulator final : public SketchAccumulator<QuantileSketch> {
 public:
  explicit QuantileAccumulator(const AggregateFunction& function)
      : kind_(function.argument.kind()), q_(function.q) {}

  Status Update(const UpdateArgs& args) override {
    const Column& column = *args.arguments[0];
    if (kind_ == Kind::kDouble) return UpdateFrom(args, column.doubles.data());
    if (kind_ == Kind::kUint) return UpdateFrom(args, column.uints.data());
    return UpdateFrom(args, column.ints.data());
  }
  void AppendResults(std::span<const uint32_t> rows, Column* out) const override {
    for (const uint32_t row : rows) {
      if (sketches_[row].count() == 0) {
        out->AppendNull();
      } else {
        out->AppendDouble(sketches_[row].Quantile(q_));
      }
    }
  }

 private:
  template <typename T>
  Status UpdateFrom(const UpdateArgs& args, const T* values) {
    bool invalid = false;
    uint32_t bad = 0;
    ForEachRecord(args, [&](uint32_t row, size_t i) {
      const auto value = static_cast<double>(values[i]);
      if (std::isnan(value)) {
        invalid = true;
        bad = row;
        return;
      }
      sketches_[row].Add(value);
    });
    return invalid ? Fail(bad, "quantile() of NaN; leave such values out with quantileIf()")
                   : OkStatus();
  }

  const Kind kind_;
  const double q_;
};

}  // namespace

std::unique_ptr<Accumulator> MakeSketchAccumulator(const AggregateFunction& function) {
  if (function.kind == AggregateKind::kQuantile) {
    return std::make_unique<QuantileAccumulator>(function);
  }
  return std::make_unique<ApproxCountAccumulator>(function);
}

}  // namespace millrace::worker
