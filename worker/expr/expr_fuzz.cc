// Compiles any text as an expression over a small batch and, where that succeeds, evaluates it: no
// input may crash, hang or read out of bounds, and a compiled expression gives one value per row.
// Build with -DMILLRACE_FUZZ=ON and clang; seeds are in tests/fuzz/corpus/expr.
#include <cstdint>
#include <string_view>

#include "worker/expr/program.h"

namespace millrace::worker {
namespace {

RecordBatch SmallBatch() {
  const Result<Type> record =
      ParseType("struct<word: string, count: int?, at: timestamp, doc: json>");
  CHECK(record.ok());
  auto word = std::make_shared<Column>(Type(Kind::kString));
  auto count = std::make_shared<Column>(Type(Kind::kInt, true));
  auto at = std::make_shared<Column>(Type(Kind::kTimestamp));
  auto doc = std::make_shared<Column>(Type(Kind::kJson));
  word->AppendView("h\u00e9llo \U0001F600");
  word->AppendView("");
  count->AppendInt(INT64_MAX);
  count->AppendNull();
  at->AppendInt(1'700'000'000'000'000);
  at->AppendInt(-1);
  doc->AppendView(R"({"a": [1, {"b": 2.5}], "c": "\u00e9"})");
  doc->AppendView("{broken");
  return RecordBatch(std::make_shared<Schema>(Schema(record->fields())), {word, count, at, doc}, 2);
}

void RunOne(std::string_view text) {
  static const RecordBatch batch = SmallBatch();
  const TableLists tables{{{"rules", batch}}};
  const ExprEnv env{batch.schema(), {{"rules", batch.schema()}}};
  std::vector<ExprError> problems;
  const Result<ProgramRef> program = Program::Compile(text, env, &problems);
  CHECK(program.ok() == problems.empty());
  if (!program.ok()) return;
  std::vector<BadRecord> bad;
  const ColumnRef column = (*program)->Evaluate(batch, &tables, &bad);
  CHECK(column->size() == batch.num_rows());
  CHECK(column->type() == (*program)->type());
}

}  // namespace
}  // namespace millrace::worker

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  millrace::worker::RunOne({reinterpret_cast<const char*>(data), size});
  return 0;
}
