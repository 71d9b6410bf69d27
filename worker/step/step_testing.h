#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "crds/base/text.h"
#include "worker/step/step.h"

// Lists of batches in, lists of rows out: what the tests of steps share.
namespace millrace::worker::testing {

using Value = std::variant<std::nullptr_t, int64_t, double, bool, std::string>;
using Row = std::vector<Value>;

inline Value Int(int64_t value) { return value; }
inline Value Text(std::string value) { return value; }

// {{"user", "string"}, {"at", "timestamp"}}
inline Schema MakeSchema(const std::vector<std::pair<std::string, std::string>>& fields) {
  Schema schema;
  for (const auto& [name, type] : fields) schema.Set({name, ParseType(type).value()});
  return schema;
}

inline void AppendValue(const Value& value, Arena* arena, Column* column) {
  if (std::holds_alternative<std::nullptr_t>(value)) return column->AppendNull();
  if (const auto* text = std::get_if<std::string>(&value)) {
    return column->AppendView(arena->Copy(*text));
  }
  if (const auto* number = std::get_if<double>(&value)) return column->AppendDouble(*number);
  if (const auto* flag = std::get_if<bool>(&value)) return column->AppendBool(*flag);
  const int64_t number = std::get<int64_t>(value);
  if (column->kind() == Kind::kUint) return column->AppendUint(static_cast<uint64_t>(number));
  column->AppendInt(number);
}

inline RecordBatch MakeBatch(const Schema& schema, const std::vector<Row>& rows) {
  auto arena = std::make_shared<Arena>();
  std::vector<ColumnRef> columns;
  for (size_t i = 0; i < schema.size(); ++i) {
    auto column = std::make_shared<Column>(schema[i].type);
    for (const Row& row : rows) AppendValue(row[i], arena.get(), column.get());
    column->AddOwner(arena);
    columns.push_back(std::move(column));
  }
  return RecordBatch(std::make_shared<Schema>(schema), std::move(columns), rows.size());
}

inline std::vector<std::string> Lines(const RecordBatch& batch) {
  std::vector<std::string> lines;
  for (size_t row = 0; row < batch.num_rows(); ++row) lines.push_back(RowToJson(batch, row));
  return lines;
}
inline std::vector<std::string> Lines(const std::vector<RecordBatch>& batches) {
  std::vector<std::string> lines;
  for (const RecordBatch& batch : batches) {
    const std::vector<std::string> more = Lines(batch);
    lines.insert(lines.end(), more.begin(), more.end());
  }
  return lines;
}

// What a task of one batch sees.
struct TestTask {
  BatchContext context;
  TableSet tables;
  TableLists lists;
  DeadLetters dead_letters;
  TaskReport report;
  TaskRun run(int unit = 0) { return {&context, unit, &tables, &lists, &dead_letters, &report}; }
};

inline TimePoint At(int64_t micros) { return TimePoint(Duration(micros)); }

// Times of one batch: batch number b has batch time (b + 1) seconds, the watermark given.
inline BatchContext MakeContext(int64_t batch, int64_t watermark = INT64_MIN,
                                int64_t previous = INT64_MIN, bool final = false) {
  BatchContext context;
  context.batch = batch;
  context.batch_time = At((batch + 1) * 1'000'000);
  context.previous_batch_time = At(batch * 1'000'000);
  context.watermarks = {At(watermark), At(watermark)};
  context.previous_watermarks = {At(previous), At(previous)};
  context.final = final;
  return context;
}

// A step's environment over one input (source 0) and, for joins, another (source 1).
struct TestEnv {
  api::Diagnostics diagnostics;
  StepEnv env;
  explicit TestEnv(const Schema& input, const Schema& other = {}) {
    env.origin = "s.step";
    env.path = "step";
    env.input = {input, {{0}, Duration(0), false}, input.Find(kEventTimeField) >= 0, false, {}};
    env.other = {other, {{1}, Duration(0), false}, other.Find(kEventTimeField) >= 0, false, {}};
    env.groups = 4;
    env.diagnostics = &diagnostics;
  }
  std::string errors() const {
    std::string text;
    for (const api::Diagnostic& diagnostic : diagnostics) {
      text += diagnostic.path + ": " + diagnostic.message + "\n";
    }
    return text;
  }
};

// How the state of operators gets from one batch to the next.
enum class Carry { kInMemory, kBySnapshot, kByDeltas };

// Runs a keyed step batch by batch over all its units, as a stage does.
class KeyedRunner {
 public:
  explicit KeyedRunner(const KeyedStep& step, Carry carry = Carry::kInMemory)
      : step_(step), carry_(carry), units_(step.units()) {
    for (Unit& unit : units_) unit.op = step.MakeOperator();
  }

  // Rows per input; output rows of all units in unit order.
  std::vector<std::string> Run(const std::vector<RecordBatch>& inputs,
                               const BatchContext& context) {
    std::vector<RecordBatch> out;
    task.context = context;
    std::vector<std::vector<std::vector<RecordBatch>>> arrived(
        units_.size(), std::vector<std::vector<RecordBatch>>(step_.num_inputs()));
    for (int input = 0; input < step_.num_inputs(); ++input) {
      TaskRun run = task.run();
      const auto writer = step_.MakeWriter(input);
      EXPECT_TRUE(writer->Add(inputs[input], &run).ok());
      EXPECT_TRUE(writer
                      ->Finish(&run,
                               [&](int unit, RecordBatch rows) {
                                 arrived[unit][input].push_back(std::move(rows));
                               })
                      .ok());
    }
    for (size_t unit = 0; unit < units_.size(); ++unit) {
      TaskRun run = task.run(static_cast<int>(unit));
      status = units_[unit].op->Run(arrived[unit], &run, &out);
      if (!status.ok()) return {};
      Hand(&units_[unit]);
    }
    return Lines(out);
  }
  bool HasWork(const BatchContext& context) const {
    return std::any_of(units_.begin(), units_.end(),
                       [&](const Unit& unit) { return unit.op->HasWork(context); });
  }
  int64_t keys() const {
    int64_t total = 0;
    for (const Unit& unit : units_) total += unit.op->keys();
    return total;
  }

  TestTask task;
  Status status;

 private:
  struct Unit {
    std::unique_ptr<KeyedOperator> op;
    std::vector<std::string> deltas;
  };
  void Hand(Unit* unit) {
    std::string delta;
    std::string snapshot;
    unit->op->EncodeDelta(&delta);
    unit->op->EncodeSnapshot(&snapshot);
    if (!delta.empty()) unit->deltas.push_back(delta);
    unit->op->Settle();
    delta.clear();
    unit->op->EncodeDelta(&delta);
    EXPECT_EQ(delta, "") << "nothing changed after Settle";
    if (carry_ == Carry::kInMemory) return;
    unit->op = step_.MakeOperator();
    if (carry_ == Carry::kBySnapshot && !snapshot.empty()) {
      EXPECT_EQ(unit->op->Apply(snapshot).ToString(), "ok");
    }
    for (const std::string& blob : unit->deltas) {
      if (carry_ != Carry::kByDeltas) break;
      EXPECT_EQ(unit->op->Apply(blob).ToString(), "ok");
    }
    unit->op->Settle();
  }

  const KeyedStep& step_;
  Carry carry_;
  std::vector<Unit> units_;
};

inline std::vector<std::string> Sorted(std::vector<std::string> lines) {
  std::sort(lines.begin(), lines.end());
  return lines;
}

}  // namespace millrace::worker::testing
