#include "worker/data/json_value.h"

#include <charconv>
#include <cmath>

#include "crds/base/text.h"
#include "worker/data/format.h"

namespace millrace::worker {
namespace {

template <typename T>
void AppendNumber(T value, std::string* out) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  out->append(text, static_cast<size_t>(end - text));
}

// What every level of one value needs.
struct JsonContext {
  const api::TimestampFormat& timestamps;
  bool omit_null;
  std::string* out;
};

bool AppendValue(const Column& column, size_t row, const JsonContext& context);

bool AppendDouble(double value, std::string* out) {
  if (!std::isfinite(value)) {
    out->append("null");
    return false;
  }
  AppendNumber(value, out);
  return true;
}

void AppendTime(int64_t micros, const JsonContext& context) {
  const bool number = context.timestamps.kind == api::TimestampKind::kUnixSeconds ||
                      context.timestamps.kind == api::TimestampKind::kUnixMillis ||
                      context.timestamps.kind == api::TimestampKind::kUnixMicros;
  if (number) {
    AppendTimestamp(context.timestamps, micros, context.out);
    return;
  }
  std::string text;
  AppendTimestamp(context.timestamps, micros, &text);
  AppendJsonQuoted(text, context.out);
}

bool AppendList(const Column& column, size_t row, const JsonContext& context) {
  bool finite = true;
  context.out->push_back('[');
  for (size_t i = column.list_begin(row); i < column.list_end(row); ++i) {
    if (i > column.list_begin(row)) context.out->push_back(',');
    finite &= AppendValue(*column.children[0], i, context);
  }
  context.out->push_back(']');
  return finite;
}

// Member names are strings in JSON: other keys become the text of their value.
bool AppendKey(const Column& keys, size_t row, const JsonContext& context) {
  if (keys.kind() == Kind::kString) {
    AppendJsonQuoted(keys.strings[row], context.out);
    return true;
  }
  std::string text;
  const bool finite = AppendValue(keys, row, {context.timestamps, context.omit_null, &text});
  if (text.starts_with('"')) {
    context.out->append(text);
  } else {
    AppendJsonQuoted(text, context.out);
  }
  return finite;
}

bool AppendMap(const Column& column, size_t row, const JsonContext& context) {
  bool finite = true;
  context.out->push_back('{');
  for (size_t i = column.list_begin(row); i < column.list_end(row); ++i) {
    if (i > column.list_begin(row)) context.out->push_back(',');
    finite &= AppendKey(*column.children[0], i, context);
    context.out->push_back(':');
    finite &= AppendValue(*column.children[1], i, context);
  }
  context.out->push_back('}');
  return finite;
}

bool AppendStruct(const Column& column, size_t row, const JsonContext& context) {
  bool finite = true;
  bool first = true;
  context.out->push_back('{');
  const std::vector<Field>& fields = column.type().fields();
  for (size_t i = 0; i < fields.size(); ++i) {
    if (context.omit_null && column.children[i]->IsNull(row)) continue;
    if (!first) context.out->push_back(',');
    first = false;
    AppendJsonQuoted(fields[i].name, context.out);
    context.out->push_back(':');
    finite &= AppendValue(*column.children[i], row, context);
  }
  context.out->push_back('}');
  return finite;
}

bool AppendValue(const Column& column, size_t row, const JsonContext& context) {
  if (column.IsNull(row)) {
    context.out->append("null");
    return true;
  }
  switch (column.kind()) {
    case Kind::kBool:
      context.out->append(column.bools[row] != 0 ? "true" : "false");
      return true;
    case Kind::kInt:
      AppendNumber(column.ints[row], context.out);
      return true;
    case Kind::kUint:
      AppendNumber(column.uints[row], context.out);
      return true;
    case Kind::kDouble:
      return AppendDouble(column.doubles[row], context.out);
    case Kind::kString:
      AppendJsonQuoted(column.strings[row], context.out);
      return true;
    case Kind::kBytes:
      context.out->push_back('"');
      context.out->append(Base64Encode(column.strings[row]));
      context.out->push_back('"');
      return true;
    case Kind::kTimestamp:
      AppendTime(column.ints[row], context);
      return true;
    case Kind::kDuration:
      context.out->push_back('"');
      AppendDurationSeconds(column.ints[row], context.out);
      context.out->push_back('"');
      return true;
    case Kind::kJson:
      context.out->append(column.strings[row]);
      return true;
    case Kind::kList:
      return AppendList(column, row, context);
    case Kind::kMap:
      return AppendMap(column, row, context);
    case Kind::kStruct:
      return AppendStruct(column, row, context);
    case Kind::kNull:
    case Kind::kDyn:
    case Kind::kOptional:
    case Kind::kTypeType:
    case Kind::kTypeParam:
      break;
  }
  context.out->append("null");
  return true;
}

}  // namespace

bool AppendJsonValue(const Column& column, size_t row, const api::TimestampFormat& timestamps,
                     bool omit_null, std::string* out) {
  return AppendValue(column, row, {timestamps, omit_null, out});
}

void AppendJsonInt(int64_t value, std::string* out) { AppendNumber(value, out); }

void AppendJsonUint(uint64_t value, std::string* out) { AppendNumber(value, out); }

void AppendJsonDouble(double value, std::string* out) { AppendNumber(value, out); }

void AppendDurationSeconds(int64_t micros, std::string* out) {
  const bool negative = micros < 0;
  const uint64_t size =
      negative ? uint64_t{0} - static_cast<uint64_t>(micros) : static_cast<uint64_t>(micros);
  if (negative) out->push_back('-');
  AppendNumber(size / 1'000'000, out);
  if (uint64_t fraction = size % 1'000'000; fraction != 0) {
    char digits[] = {'.', '0', '0', '0', '0', '0', '0'};
    for (int i = 6; i > 0; --i, fraction /= 10) digits[i] = static_cast<char>('0' + fraction % 10);
    size_t length = sizeof digits;
    while (digits[length - 1] == '0') --length;
    out->append(digits, length);
  }
  out->push_back('s');
}

}  // namespace millrace::worker
