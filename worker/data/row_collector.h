#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "worker/data/column_edit.h"
#include "worker/data/format.h"

namespace millrace::worker {

// Builds the result of one Decode call: the columns that rows are appended to, which payloads the
// rows came from, and what was refused. Single use; thread-compatible.
class RowCollector {
 public:
  RowCollector(SchemaRef schema, const RawRecords& raw) : schema_(std::move(schema)), raw_(raw) {
    for (const Field& field : schema_->fields()) {
      columns_.push_back(std::make_shared<Column>(field.type));
      columns_.back()->Reserve(raw.payloads.size());
    }
  }

  Column* column(size_t i) { return columns_[i].get(); }
  std::vector<std::shared_ptr<Column>>& columns() { return columns_; }
  size_t rows() const { return rows_; }
  Arena* arena() {
    if (arena_ == nullptr) arena_ = std::make_shared<Arena>();
    return arena_.get();
  }

  // Requires: every column has one row more than rows().
  void Accept(size_t payload) {
    if (payload != rows_ && !tracking_) StartSourceRows();
    if (tracking_) source_rows_.push_back(static_cast<uint32_t>(payload));
    ++rows_;
  }
  // Drops what was appended since the last Accept.
  void Refuse(size_t payload, std::string message) {
    for (const auto& column : columns_) Truncate(column.get(), rows_);
    bad_.push_back({payload, std::move(message)});
  }
  // A null record: a row of nulls where all fields can be null, else bad.
  void AcceptNull(size_t payload);
  DecodeResult Finish();

 private:
  void StartSourceRows();

  SchemaRef schema_;
  const RawRecords& raw_;
  std::vector<std::shared_ptr<Column>> columns_;
  std::shared_ptr<Arena> arena_;
  std::vector<uint32_t> source_rows_;
  std::vector<BadRecord> bad_;
  size_t rows_ = 0;
  bool tracking_ = false;
};

}  // namespace millrace::worker
