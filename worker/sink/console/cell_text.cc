#include "worker/sink/console/cell_text.h"

#include <charconv>
#include <cmath>

#include "crds/base/clock.h"
#include "crds/base/text.h"
#include "worker/data/record_batch.h"
#include "worker/sink/console/text_width.h"

namespace millrace::worker {
namespace {

// As string() writes it. The sign of a NaN differs between machines and says nothing.
std::string DoubleText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value < 0 ? "-Infinity" : "Infinity";
  char text[32];
  const auto result = std::to_chars(text, text + sizeof text, value);
  return std::string(text, result.ptr);
}

// Lists, maps and structs: the value inside {"v":...}.
std::string JsonText(const Column& column, size_t row) {
  auto schema = std::make_shared<Schema>(std::vector<Field>{{"v", column.type()}});
  const std::string json =
      RowToJson(RecordBatch(std::move(schema), {RepeatRow(column, row, 1)}, 1), 0);
  const size_t begin = json.find(':');
  return begin == std::string::npos ? json : json.substr(begin + 1, json.size() - begin - 2);
}

}  // namespace

std::string CellText(const Column& column, size_t row) {
  if (column.IsNull(row)) return "null";
  switch (column.kind()) {
    case Kind::kBool:
      return column.bools[row] != 0 ? "true" : "false";
    case Kind::kInt:
      return std::to_string(column.ints[row]);
    case Kind::kUint:
      return std::to_string(column.uints[row]);
    case Kind::kDouble:
      return DoubleText(column.doubles[row]);
    case Kind::kString:
    case Kind::kJson:
      return EscapeForTerminal(column.strings[row]);
    case Kind::kBytes:
      return Base64Encode(column.strings[row]);
    case Kind::kTimestamp:
      return FormatRfc3339(TimePoint(Duration(column.ints[row])));
    case Kind::kDuration:
      return FormatDuration(Duration(column.ints[row]));
    case Kind::kList:
    case Kind::kMap:
    case Kind::kStruct:
      return EscapeForTerminal(JsonText(column, row));
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      break;
  }
  return "null";
}

}  // namespace millrace::worker
