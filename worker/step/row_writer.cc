#include <utility>

#include "worker/step/keyed_plan.h"

namespace millrace::worker {
namespace {

// Collects batches with their rows sorted by group (a counting sort, so rows of a group keep their
// order) and copies every row once, at the end. Thread-compatible.
class RowWriter final : public ExchangeWriter {
 public:
  RowWriter(EncodedKeys keys, int groups) : keys_(std::move(keys)), groups_(groups) {}

  Status Add(const RecordBatch& batch, TaskRun* /*run*/) override {
    if (batch.num_rows() == 0) return OkStatus();
    parts_.push_back({batch, {}, {}});
    if (groups_ > 1) SortByGroup(&parts_.back());
    return OkStatus();
  }

  Status Finish(TaskRun* /*run*/, const SendFn& send) override {
    if (parts_.empty()) return OkStatus();
    if (groups_ == 1) {
      for (Part& part : parts_) send(0, std::move(part.batch));
    }
    for (int group = 0; groups_ > 1 && group < groups_; ++group) SendGroup(group, send);
    parts_.clear();
    return OkStatus();
  }

 private:
  struct Part {
    RecordBatch batch;
    std::vector<uint32_t> rows;    // by group
    std::vector<uint32_t> starts;  // groups + 1 positions in `rows`
    std::span<const uint32_t> RowsOf(int group) const {
      return std::span(rows).subspan(starts[group], starts[group + 1] - starts[group]);
    }
  };

  void SortByGroup(Part* part) {
    keys_.Encode(part->batch);
    const std::vector<uint64_t>& hashes = keys_.hashes();
    row_groups_.resize(hashes.size());
    part->starts.assign(groups_ + 1, 0);
    for (size_t i = 0; i < hashes.size(); ++i) {
      row_groups_[i] = KeyGroupOf(hashes[i], groups_);
      ++part->starts[row_groups_[i] + 1];
    }
    for (int group = 0; group < groups_; ++group) part->starts[group + 1] += part->starts[group];
    next_.assign(part->starts.begin(), part->starts.end() - 1);
    part->rows.resize(hashes.size());
    for (size_t i = 0; i < hashes.size(); ++i) {
      part->rows[next_[row_groups_[i]]++] = static_cast<uint32_t>(i);
    }
  }

  void SendGroup(int group, const SendFn& send) const {
    size_t total = 0;
    for (const Part& part : parts_) total += part.RowsOf(group).size();
    if (total == 0) return;
    const SchemaRef& schema = parts_.front().batch.schema_ref();
    std::vector<ColumnRef> columns;
    for (size_t i = 0; i < schema->size(); ++i) {
      auto column = std::make_shared<Column>((*schema)[i].type);
      column->Reserve(total);
      for (const Part& part : parts_) {
        const std::span<const uint32_t> rows = part.RowsOf(group);
        if (!rows.empty()) column->AppendGather(part.batch.column(i), rows);
      }
      columns.push_back(std::move(column));
    }
    send(group, RecordBatch(schema, std::move(columns), total));
  }

  EncodedKeys keys_;
  int groups_;
  std::vector<Part> parts_;
  std::vector<int> row_groups_;
  std::vector<uint32_t> next_;
};

}  // namespace

std::unique_ptr<ExchangeWriter> MakeRowWriter(std::vector<int> key_columns, int groups) {
  return MakeRowWriter(EncodedKeys(std::move(key_columns)), groups);
}

std::unique_ptr<ExchangeWriter> MakeRowWriter(EncodedKeys keys, int groups) {
  return std::make_unique<RowWriter>(std::move(keys), groups);
}

}  // namespace millrace::worker
