#include "worker/data/text_value.h"

#include <charconv>

#include "crds/base/text.h"
#include "worker/data/column_edit.h"
#include "worker/data/format.h"
#include "worker/data/json_check.h"
#include "worker/data/json_text.h"
#include "worker/data/timestamp.h"

namespace millrace::worker {
namespace {

bool Mismatch(std::string_view text, const Type& type, std::string* problem) {
  *problem = "expected " + type.AsRequired().ToString() + ", found " +
             (text.empty() ? "an empty text" : "\"" + Excerpt(text, 40) + "\"");
  return false;
}

bool Judge(NumberOutcome outcome, std::string_view text, const Type& type, std::string* problem) {
  if (outcome == NumberOutcome::kOk) return true;
  if (outcome == NumberOutcome::kNotThis) return Mismatch(text, type, problem);
  *problem = Excerpt(text, 40) + " is out of range for " + type.AsRequired().ToString();
  return false;
}

// Unlike in JSON leading zeros are fine: exports pad numbers.
template <typename T>
NumberOutcome ParseWhole(std::string_view text, T* value) {
  const bool negative = text.starts_with('-');
  const std::string_view digits = text.substr(negative ? 1 : 0);
  if (digits.empty() || digits.find_first_not_of("0123456789") != std::string_view::npos)
    return NumberOutcome::kNotThis;
  const size_t first = std::min(digits.find_first_not_of('0'), digits.size() - 1);
  const std::string plain = (negative ? "-" : "") + std::string(digits.substr(first));
  if constexpr (std::is_signed_v<T>) {
    return ParseJsonInt(plain, value);
  } else {
    return ParseJsonUint(plain, value);
  }
}

bool AppendNumber(std::string_view text, Column* column, std::string* problem) {
  const Type& type = column->type();
  if (type.kind() == Kind::kInt) {
    int64_t value = 0;
    const NumberOutcome quick = ParseJsonInt(text, &value);
    const bool ok =
        quick == NumberOutcome::kOk || Judge(ParseWhole(text, &value), text, type, problem);
    if (ok) Push(column, &column->ints, value);
    return ok;
  }
  if (type.kind() == Kind::kUint) {
    uint64_t value = 0;
    const bool ok = Judge(ParseWhole(text, &value), text, type, problem);
    if (ok) Push(column, &column->uints, value);
    return ok;
  }
  double value = 0;
  const bool ok = Judge(ParseDouble(text, &value), text, type, problem);
  if (ok) Push(column, &column->doubles, value);
  return ok;
}

bool AppendBool(std::string_view text, Column* column, std::string* problem) {
  const std::string lower = text.size() <= 5 ? ToLowerAscii(text) : std::string();
  if (lower != "true" && lower != "false") return Mismatch(text, column->type(), problem);
  Push(column, &column->bools, static_cast<uint8_t>(lower == "true" ? 1 : 0));
  return true;
}

bool AppendTime(std::string_view text, const api::TimestampFormat& timestamps, Column* column,
                std::string* problem) {
  int64_t micros = 0;
  if (!ParsePlainTimestamp(timestamps.kind, text, &micros)) {
    const Result<int64_t> time = ParseTimestampMicros(timestamps, text);
    if (!time.ok()) {
      *problem = time.status().message();
      return false;
    }
    micros = *time;
  }
  Push(column, &column->ints, micros);
  return true;
}

bool AppendDuration(std::string_view text, Column* column, std::string* problem) {
  const Result<Duration> duration = ParseDuration(text);
  if (!duration.ok()) {
    *problem = duration.status().message();
    return false;
  }
  Push(column, &column->ints, int64_t{duration->count()});
  return true;
}

bool AppendBytes(std::string_view text, Column* column, Arena* arena, std::string* problem) {
  const Result<std::string> bytes = Base64Decode(text);
  if (!bytes.ok()) {
    *problem = bytes.status().message();
    return false;
  }
  Push(column, &column->strings, arena->Copy(*bytes));
  return true;
}

bool AppendJson(std::string_view text, Column* column, std::string* problem) {
  if (const JsonFault fault = CheckJson(text); !fault.ok()) {
    *problem = fault.Message();
    return false;
  }
  Push(column, &column->strings, TrimJson(text));
  return true;
}

}  // namespace

bool AppendTextValue(std::string_view text, const api::TimestampFormat& timestamps, Column* column,
                     Arena* arena, std::string* problem) {
  switch (column->kind()) {
    case Kind::kString:
      Push(column, &column->strings, text);
      return true;
    case Kind::kBool:
      return AppendBool(text, column, problem);
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
      return AppendNumber(text, column, problem);
    case Kind::kTimestamp:
      return AppendTime(text, timestamps, column, problem);
    case Kind::kDuration:
      return AppendDuration(text, column, problem);
    case Kind::kBytes:
      return AppendBytes(text, column, arena, problem);
    case Kind::kJson:
      return AppendJson(text, column, problem);
    case Kind::kList:
    case Kind::kMap:
    case Kind::kStruct:
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      break;
  }
  return Mismatch(text, column->type(), problem);
}

bool IsTextKind(Kind kind) { return kind < Kind::kList; }

}  // namespace millrace::worker
