#include "worker/window/aggregate_set.h"

#include <algorithm>
#include <bit>

namespace millrace::worker {

void AggregateLayout::Add(AggregateFunction function, std::string label) {
  for (const Type& type : function.partials) {
    partial_fields.push_back({"p" + std::to_string(partial_fields.size()), type});
  }
  functions.push_back(std::move(function));
  labels.push_back(std::move(label));
}

bool AggregateLayout::invertible() const {
  return std::all_of(functions.begin(), functions.end(),
                     [](const auto& f) { return f.invertible; });
}

bool AggregateLayout::exact() const {
  return std::all_of(functions.begin(), functions.end(), [](const auto& f) { return f.exact; });
}

AggregateSet::AggregateSet(const AggregateLayout* layout) : layout_(layout) {
  for (const AggregateFunction& function : layout->functions) {
    accumulators_.push_back(MakeAccumulator(function));
  }
}

void AggregateSet::Resize(size_t rows) {
  if (rows <= rows_) return;
  rows_ = std::max<size_t>(16, std::bit_ceil(rows));
  for (const auto& accumulator : accumulators_) accumulator->Resize(rows_);
}

Status AggregateSet::Note(size_t call, const Status& status) {
  failed_row_ = accumulators_[call]->failed_row();
  return status.WithContext(layout_->labels[call]);
}

Status AggregateSet::Update(size_t call, const UpdateArgs& args) {
  const Status status = accumulators_[call]->Update(args);
  return status.ok() ? status : Note(call, status);
}

Status AggregateSet::Merge(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
                           size_t begin) {
  size_t at = 0;
  for (size_t call = 0; call < accumulators_.size(); ++call) {
    const size_t width = layout_->functions[call].partials.size();
    const Status status = accumulators_[call]->Merge(rows, partials.subspan(at, width), begin);
    if (!status.ok()) return Note(call, status);
    at += width;
  }
  return OkStatus();
}

Status AggregateSet::Subtract(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
                              size_t begin) {
  size_t at = 0;
  for (size_t call = 0; call < accumulators_.size(); ++call) {
    const size_t width = layout_->functions[call].partials.size();
    const Status status = accumulators_[call]->Subtract(rows, partials.subspan(at, width), begin);
    if (!status.ok()) return Note(call, status);
    at += width;
  }
  return OkStatus();
}

std::vector<ColumnRef> AggregateSet::Partials(std::span<const uint32_t> rows) const {
  std::vector<ColumnPtr> columns;
  columns.reserve(layout_->partial_fields.size());
  for (const Field& field : layout_->partial_fields) {
    columns.push_back(std::make_shared<Column>(field.type));
    columns.back()->Reserve(rows.size());
  }
  AppendPartials(rows, columns);
  return {columns.begin(), columns.end()};
}

void AggregateSet::AppendPartials(std::span<const uint32_t> rows,
                                  std::span<const ColumnPtr> columns) const {
  size_t at = 0;
  for (size_t call = 0; call < accumulators_.size(); ++call) {
    const size_t width = layout_->functions[call].partials.size();
    accumulators_[call]->AppendPartials(rows, columns.subspan(at, width));
    at += width;
  }
}

std::vector<ColumnRef> AggregateSet::Results(std::span<const uint32_t> rows) const {
  std::vector<ColumnPtr> columns;
  AppendResults(rows, &columns);
  return {columns.begin(), columns.end()};
}

void AggregateSet::AppendResults(std::span<const uint32_t> rows,
                                 std::vector<ColumnPtr>* columns) const {
  if (columns->empty()) {
    for (const AggregateFunction& function : layout_->functions) {
      columns->push_back(std::make_shared<Column>(function.result));
    }
  }
  for (size_t call = 0; call < accumulators_.size(); ++call) {
    Column* column = (*columns)[call].get();
    column->Reserve(column->size() + rows.size());
    accumulators_[call]->AppendResults(rows, column);
    // Only rows that say "deleted" can be empty where the type has no null; they hold zero.
    if (!column->type().nullable()) column->valid.clear();
  }
}

void AggregateSet::Reset(std::span<const uint32_t> rows) {
  for (const auto& accumulator : accumulators_) accumulator->Reset(rows);
}

size_t AggregateSet::ByteSize() const {
  size_t bytes = 0;
  for (const auto& accumulator : accumulators_) bytes += accumulator->ByteSize();
  return bytes;
}

}  // namespace millrace::worker
