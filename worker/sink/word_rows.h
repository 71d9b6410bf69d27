#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "worker/data/record_batch.h"
#include "worker/sink/projection.h"

namespace millrace::worker {

// Rows {word: string, count: int, __deleted: bool} for tests of sinks.
struct WordRow {
  std::string word;
  int64_t count = 0;
  bool deleted = false;
};

inline SchemaRef WordSchema() {
  return std::make_shared<Schema>(
      std::vector<Field>{{"word", Type(Kind::kString)},
                         {"count", Type(Kind::kInt)},
                         {std::string(kRemovalField), Type(Kind::kBool)}});
}

inline RecordBatch WordBatch(const std::vector<WordRow>& rows) {
  auto arena = std::make_shared<Arena>();
  auto word = std::make_shared<Column>(Type(Kind::kString));
  auto count = std::make_shared<Column>(Type(Kind::kInt));
  auto deleted = std::make_shared<Column>(Type(Kind::kBool));
  for (const WordRow& row : rows) {
    word->AppendView(arena->Copy(row.word));
    count->AppendInt(row.count);
    deleted->AppendBool(row.deleted);
  }
  word->AddOwner(arena);
  return RecordBatch(WordSchema(), {word, count, deleted}, rows.size());
}

inline SinkPart WordPart(std::string stage, int unit, const std::vector<WordRow>& rows) {
  return {std::move(stage), unit, {WordBatch(rows)}};
}

}  // namespace millrace::worker
