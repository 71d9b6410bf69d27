#include <utility>

#include "worker/step/step.h"

namespace millrace::worker {
namespace {

std::optional<std::string> TextOf(const RecordBatch& batch, std::string_view name, size_t row) {
  const Column* column = batch.Find(name);
  if (column == nullptr || !column->type().is_binary() || column->IsNull(row)) return std::nullopt;
  return std::string(column->strings[row]);
}

std::optional<int64_t> NumberOf(const RecordBatch& batch, std::string_view name, size_t row) {
  const Column* column = batch.Find(name);
  if (column == nullptr || !column->type().is_int64() || column->IsNull(row)) return std::nullopt;
  return column->ints[row];
}

void AppendText(const std::optional<std::string>& text, Arena* arena, Column* column) {
  if (text) {
    column->AppendView(arena->Copy(*text));
  } else {
    column->AppendNull();
  }
}

void AppendNumber(const std::optional<int64_t>& number, Column* column) {
  if (number) {
    column->AppendInt(*number);
  } else {
    column->AppendNull();
  }
}

const SchemaRef& SharedRowSchema() {
  static const SchemaRef schema = std::make_shared<Schema>(std::vector<Field>{
      {"origin", Type(Kind::kString)},
      {"reason", Type(Kind::kString)},
      {"message", Type(Kind::kString)},
      {"time", Type(Kind::kTimestamp)},
      {"value", Type(Kind::kBytes)},
      {"key", Type(Kind::kBytes, true)},
      {"topic", Type(Kind::kString, true)},
      {"partition", Type(Kind::kInt, true)},
      {"offset", Type(Kind::kInt, true)},
  });
  return schema;
}

}  // namespace

const Schema& DeadLetters::RowSchema() { return *SharedRowSchema(); }

void DeadLetters::AddRow(const std::string& origin, const std::string& reason,
                         const std::string& message, const RecordBatch& batch, size_t row) {
  Entry entry;
  entry.origin = origin;
  entry.reason = reason;
  entry.message = message;
  std::optional<std::string> raw = TextOf(batch, kRawField, row);
  entry.value = raw ? *std::move(raw) : RowToJson(batch, row);
  entry.key = TextOf(batch, "__key", row);
  entry.topic = TextOf(batch, "__topic", row);
  entry.partition = NumberOf(batch, "__partition", row);
  entry.offset = NumberOf(batch, "__offset", row);
  entries_.push_back(std::move(entry));
}

RecordBatch DeadLetters::TakeRows(TimePoint batch_time) {
  const std::vector<Entry> entries = std::exchange(entries_, {});
  const SchemaRef& schema = SharedRowSchema();
  auto arena = std::make_shared<Arena>();
  std::vector<std::shared_ptr<Column>> columns;
  for (const Field& field : schema->fields()) {
    columns.push_back(std::make_shared<Column>(field.type));
    if (field.type.is_binary()) columns.back()->AddOwner(arena);
  }
  for (const Entry& entry : entries) {
    columns[0]->AppendView(arena->Copy(entry.origin));
    columns[1]->AppendView(arena->Copy(entry.reason));
    columns[2]->AppendView(arena->Copy(entry.message));
    columns[3]->AppendInt(batch_time.time_since_epoch().count());
    columns[4]->AppendView(arena->Copy(entry.value));
    AppendText(entry.key, arena.get(), columns[5].get());
    AppendText(entry.topic, arena.get(), columns[6].get());
    AppendNumber(entry.partition, columns[7].get());
    AppendNumber(entry.offset, columns[8].get());
  }
  return RecordBatch(schema, {columns.begin(), columns.end()}, entries.size());
}

}  // namespace millrace::worker
