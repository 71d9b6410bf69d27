#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crds/base/text.h"
#include "worker/step/step.h"

// Streams as lists of batches in and lists of batches out, for tests of aggregate and top.
namespace millrace::worker {

inline constexpr int64_t kSecond = 1'000'000;
inline TimePoint At(int64_t seconds) { return TimePoint(Duration(seconds * kSecond)); }

// A record of the test streams; nullopt is null.
struct TestRecord {
  std::string user;
  int64_t seconds = 0;  // event time
  std::optional<int64_t> amount = 0;
  std::string item = "x";
  bool gone = false;
};
using TestBatch = std::vector<std::vector<TestRecord>>;  // by source unit

inline Schema TestSchema() {
  return Schema({{"user", Type(Kind::kString)},
                 {"amount", Type(Kind::kInt, true)},
                 {"price", Type(Kind::kDouble)},
                 {"item", Type(Kind::kString)},
                 {"gone", Type(Kind::kBool)},
                 {std::string(kEventTimeField), Type(Kind::kTimestamp)}});
}

// price is amount / 4, so that sums of it are exact; 0 for null.
inline RecordBatch MakeRecords(const std::vector<TestRecord>& records) {
  static const SchemaRef schema = std::make_shared<Schema>(TestSchema());
  std::vector<std::shared_ptr<Column>> columns;
  for (const Field& field : schema->fields())
    columns.push_back(std::make_shared<Column>(field.type));
  auto arena = std::make_shared<Arena>();
  columns[0]->AddOwner(arena);
  columns[3]->AddOwner(arena);
  for (const TestRecord& record : records) {
    columns[0]->AppendView(arena->Copy(record.user));
    record.amount ? columns[1]->AppendInt(*record.amount) : columns[1]->AppendNull();
    columns[2]->AppendDouble(static_cast<double>(record.amount.value_or(0)) / 4);
    columns[3]->AppendView(arena->Copy(record.item));
    columns[4]->AppendBool(record.gone);
    columns[5]->AppendInt(record.seconds * kSecond);
  }
  return {schema, {columns.begin(), columns.end()}, records.size()};
}

inline StepEnv TestEnv(api::Diagnostics* diagnostics, int groups) {
  StepEnv env;
  env.origin = "stream.step";
  env.path = "spec.streams[0].steps[0].step";
  env.input.schema = TestSchema();
  env.input.has_event_time = true;
  env.input.watermark.sources = {0};
  env.batch_interval = std::chrono::seconds(1);
  env.groups = groups;
  env.diagnostics = diagnostics;
  return env;
}

// How state gets from one batch to the next.
enum class Handover { kKeep, kSnapshot, kDeltas };

// Runs a keyed step over batches: writers per source unit, operators per key group. Batch b (from
// 1) has batch time b seconds.
class StepHarness {
 public:
  StepHarness(const KeyedStep* step, Handover handover, size_t records_per_add = 1000)
      : step_(step), handover_(handover), records_per_add_(records_per_add) {
    const auto units = static_cast<size_t>(step->units());
    for (size_t i = 0; i < units; ++i) operators_.push_back(step->MakeOperator());
    deltas_.resize(units);
  }

  // Rows that left, as JSON, "-" in front of deleted ones. `watermark` in seconds.
  std::vector<std::string> Run(const TestBatch& batch, std::optional<int64_t> watermark,
                               bool final = false) {
    context_.batch += 1;
    context_.previous_batch_time = context_.batch == 1 ? TimePoint::min() : context_.batch_time;
    context_.batch_time = At(context_.batch);
    context_.previous_watermarks = {watermark_};
    watermark_ = watermark ? At(*watermark) : watermark_;
    context_.watermarks = {watermark_};
    context_.final = final;
    return RunUnits(Exchange(batch));
  }

  const TaskReport& report() const { return report_; }
  DeadLetters& dead_letters() { return dead_letters_; }
  const Status& status() const { return status_; }
  // Everything that left, as bytes.
  const std::string& bytes() const { return bytes_; }
  // Rows of an updating stream that are there now, as a table that replaces by update key has them.
  std::vector<std::string> Live() const { return Live(step_->update_key()); }
  // The same for a table whose rows are named by these fields.
  std::vector<std::string> Live(const std::vector<std::string>& key) const {
    std::map<std::string, std::string> table;
    for (const RecordBatch& batch : said_) {
      Arena arena;
      std::vector<std::string_view> keys;
      std::vector<int> columns;
      for (const std::string& name : key) columns.push_back(batch.schema().Find(name));
      KeyEncoder(columns).Encode(batch, &arena, &keys);
      const Column* deleted = batch.Find(kDeletedField);
      for (size_t i = 0; i < batch.num_rows(); ++i) {
        table.erase(std::string(keys[i]));
        if (deleted != nullptr && deleted->bools[i] != 0) continue;
        table[std::string(keys[i])] = RowToJson(batch, i);
      }
    }
    std::vector<std::string> rows;
    for (const auto& [name, row] : table) rows.push_back(row);
    std::sort(rows.begin(), rows.end());
    return rows;
  }
  int64_t keys() const {
    int64_t keys = 0;
    for (const auto& op : operators_) keys += op->keys();
    return keys;
  }
  int runs() const { return runs_; }

 private:
  using Arrivals = std::vector<std::vector<RecordBatch>>;  // by unit

  TaskRun Task(int unit) {
    TaskRun run;
    run.context = &context_;
    run.unit = unit;
    run.tables = &tables_;
    run.table_lists = &table_lists_;
    run.dead_letters = &dead_letters_;
    run.report = &report_;
    return run;
  }

  Arrivals Exchange(const TestBatch& batch) {
    Arrivals arrivals(operators_.size());
    for (size_t unit = 0; unit < batch.size(); ++unit) {
      TaskRun run = Task(static_cast<int>(unit));
      const auto writer = step_->MakeWriter(0);
      const std::vector<TestRecord>& records = batch[unit];
      for (size_t from = 0; from < records.size(); from += records_per_add_) {
        const size_t to = std::min(records.size(), from + records_per_add_);
        Note(writer->Add(MakeRecords({records.begin() + static_cast<std::ptrdiff_t>(from),
                                      records.begin() + static_cast<std::ptrdiff_t>(to)}),
                         &run));
      }
      Note(writer->Finish(&run, [&](int to, RecordBatch rows) {
        std::string wire;
        EncodeBatch(rows, &wire);
        arrivals[static_cast<size_t>(to)].push_back(*DecodeBatch(wire));
      }));
    }
    return arrivals;
  }

  std::vector<std::string> RunUnits(const Arrivals& arrivals) {
    std::vector<std::string> rows;
    for (size_t unit = 0; unit < operators_.size(); ++unit) {
      if (arrivals[unit].empty() && !operators_[unit]->HasWork(context_)) continue;
      ++runs_;
      TaskRun run = Task(static_cast<int>(unit));
      std::vector<RecordBatch> out;
      Note(operators_[unit]->Run({arrivals[unit]}, &run, &out));
      for (const RecordBatch& batch : out) {
        EncodeBatch(batch, &bytes_);
        if (step_->output_updating()) said_.push_back(batch);
        const Column* deleted = batch.Find(kDeletedField);
        for (size_t i = 0; i < batch.num_rows(); ++i) {
          const bool gone = deleted != nullptr && deleted->bools[i] != 0;
          rows.push_back((gone ? "-" : "") + RowToJson(batch, i));
        }
      }
      HandOver(unit);
    }
    return rows;
  }

  void HandOver(size_t unit) {
    auto& op = operators_[unit];
    if (handover_ == Handover::kKeep) return op->Settle();
    std::string blob;
    if (handover_ == Handover::kSnapshot) {
      op->EncodeSnapshot(&blob);
      deltas_[unit] = {blob};
    } else {
      op->EncodeDelta(&blob);
      deltas_[unit].push_back(blob);
    }
    op = step_->MakeOperator();
    for (const std::string& delta : deltas_[unit]) Note(op->Apply(delta));
    op->Settle();
  }

  void Note(const Status& status) {
    if (status_.ok()) status_ = status;
  }

  const KeyedStep* step_;
  const Handover handover_;
  const size_t records_per_add_;
  std::vector<std::unique_ptr<KeyedOperator>> operators_;
  std::vector<std::vector<std::string>> deltas_;  // by unit
  BatchContext context_;
  TimePoint watermark_ = TimePoint::min();
  TaskReport report_;
  DeadLetters dead_letters_;
  TableSet tables_;
  TableLists table_lists_;
  Status status_;
  std::string bytes_;
  std::vector<RecordBatch> said_;  // of an updating step
  int runs_ = 0;
};

}  // namespace millrace::worker
