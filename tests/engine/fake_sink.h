#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "crds/base/text.h"
#include "worker/sink/sink.h"

namespace millrace::worker::testing {

// The visible fields of a row as JSON.
inline std::string VisibleRow(const RecordBatch& rows, size_t row) {
  std::vector<Field> fields;
  std::vector<ColumnRef> columns;
  for (size_t i = 0; i < rows.num_columns(); ++i) {
    if (Schema::IsHidden(rows.schema()[i].name)) continue;
    fields.push_back(rows.schema()[i]);
    columns.push_back(rows.column_ref(i));
  }
  return RowToJson(
      RecordBatch(std::make_shared<Schema>(std::move(fields)), std::move(columns), rows.num_rows()),
      row);
}

// A sink that keeps rows by batch, and shows them only once their batch is committed. Delivering a
// batch again replaces what was delivered of it before, as an idempotent receiver does. Scheduler's
// thread only.
class FakeSink final : public Sink {
 public:
  Status Open(const SinkSeat&) override {
    ++opened;
    return OkStatus();
  }
  Result<SinkLedger> ReadLedger() override {
    SinkLedger ledger;
    ledger.keeps = true;
    ledger.batch = delivered_batch;
    ledger.digest = delivered_digest;
    return ledger;
  }
  Status Deliver(const SinkBatch& batch, const std::vector<SinkPart>& parts,
                 std::vector<RejectedRow>* rejected) override {
    ++deliveries;
    if (on_deliver) RETURN_IF_ERROR(on_deliver(batch));
    std::vector<std::string>& rows = delivered_[batch.batch];
    rows.clear();
    for (const SinkPart& part : parts) {
      for (const RecordBatch& chunk : part.rows) Take(chunk, &rows, rejected);
    }
    return OkStatus();
  }
  Status Committed(int64_t batch) override {
    if (on_committed) RETURN_IF_ERROR(on_committed(batch));
    if (const auto it = delivered_.find(batch); it != delivered_.end() && !it->second.empty())
      visible[batch] = it->second;
    delivered_.clear();
    return OkStatus();
  }
  // Rows delivered and not committed.
  size_t pending() const {
    size_t rows = 0;
    for (const auto& [batch, lines] : delivered_) rows += lines.size();
    return rows;
  }

  std::map<int64_t, std::vector<std::string>> visible;  // committed rows by batch
  std::function<Status(const SinkBatch&)> on_deliver;   // an error is what the receiver answers
  std::function<Status(int64_t)> on_committed;
  std::function<std::string(const std::string&)> why_rejected;  // empty: taken
  int64_t delivered_batch = 0;
  std::string delivered_digest;
  int deliveries = 0;
  int opened = 0;

 private:
  void Take(const RecordBatch& chunk, std::vector<std::string>* rows,
            std::vector<RejectedRow>* rejected) const {
    for (size_t row = 0; row < chunk.num_rows(); ++row) {
      const std::string line = VisibleRow(chunk, row);
      const std::string reason = why_rejected ? why_rejected(line) : "";
      if (reason.empty())
        rows->push_back(line);
      else
        rejected->push_back({"Rejected", reason, line});
    }
  }

  std::map<int64_t, std::vector<std::string>> delivered_;
};

}  // namespace millrace::worker::testing
