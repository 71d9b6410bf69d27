#include "worker/data/json_reader.h"

#include "crds/base/text.h"
#include "worker/data/column_edit.h"
#include "worker/data/format.h"
#include "worker/data/json_check.h"
#include "worker/data/json_map.h"
#include "worker/data/json_scan.h"
#include "worker/data/json_text.h"
#include "worker/data/timestamp.h"
#include "worker/data/utf8.h"

namespace millrace::worker {

namespace ondemand = simdjson::ondemand;

namespace {

// Records in a row that may fail to be plain before most are no longer tried.
constexpr int kPlainPatience = 8;
constexpr int kPlainPause = 64;

}  // namespace

Status JsonReader::Read(std::string_view record, std::vector<std::shared_ptr<Column>>* columns,
                        Arena* arena) {
  arena_ = arena;
  end_ = record.data() + record.size();
  path_.clear();
  problem_.clear();
  const size_t row = columns->empty() ? 0 : columns->front()->size();
  if (ExpectsPlain()) {
    if (ReadPlain(record.data(), columns)) {
      plain_failures_ = 0;
      return OkStatus();
    }
    for (const auto& column : *columns) Truncate(column.get(), row);
    path_.clear();
    problem_.clear();
  }
  if (record.starts_with(kByteOrderMark)) return InvalidError(Message(record));
  ondemand::document document;
  ondemand::object object;
  auto error =
      parser_.iterate(record.data(), record.size(), record.size() + simdjson::SIMDJSON_PADDING)
          .get(document);
  if (error == simdjson::SUCCESS) error = document.get_object().get(object);
  if (error != simdjson::SUCCESS) {
    Malformed(error);
    return InvalidError(Message(record));
  }
  if (!ReadMembers(object, root_.get(), columns, row)) return InvalidError(Message(record));
  // Anything but the end of the document is text behind the object, or an object that was never
  // closed.
  if (document.current_location().error() != simdjson::OUT_OF_BOUNDS)
    return InvalidError(Message(record));
  return OkStatus();
}

// Where records are seldom plain the attempt is made for one in kPlainPause only.
bool JsonReader::ExpectsPlain() {
  if (++plain_failures_ <= kPlainPatience) return true;
  if (plain_failures_ < kPlainPatience + kPlainPause) return false;
  plain_failures_ = kPlainPatience;
  return true;
}

bool JsonReader::ReadPlain(const char* at, std::vector<std::shared_ptr<Column>>* columns) {
  JsonNode* const node = root_.get();
  const uint64_t number = ++node->objects;
  size_t found = 0;
  JsonFields::Cursor cursor;
  const auto take = [&](char c) {
    at = SkipJsonSpace(at, end_);
    return at < end_ && *at++ == c;
  };
  if (!take('{')) return false;
  do {
    size_t size = 0;
    if (!take('"')) return false;
    const int index = node->fields->FindLearned(at, &cursor, &size);
    at += size;
    if (index < JsonFields::kIgnored || !take(':')) return false;
    const char* const value = SkipJsonSpace(at, end_);
    at = EndOfPlainScalar(value, end_);
    if (at == nullptr) return false;
    if (index == JsonFields::kIgnored) continue;
    const auto member = static_cast<size_t>(index);
    if (node->seen[member] == number) return false;
    node->seen[member] = number;
    ++found;
    const std::string_view token(value, static_cast<size_t>(at - value));
    if (!ReadScalar(token, *node->parts[member], (*columns)[member].get())) return false;
  } while (take(','));
  // A record of plain members has the closing brace where no comma was.
  if (at > end_ || at[-1] != '}' || SkipJsonSpace(at, end_) != end_) return false;
  return found == node->members.size() || ReadMissing(node, columns);
}

bool JsonReader::ReadMembers(ondemand::object object, JsonNode* node,
                             std::vector<std::shared_ptr<Column>>* columns, size_t row) {
  const uint64_t number = ++node->objects;
  size_t found = 0;
  JsonFields::Cursor cursor;
  for (auto result : object) {
    if (const auto error = result.error(); error != simdjson::SUCCESS) return Malformed(error);
    const char* const key = std::move(result).value_unsafe().key().raw();
    const int index = node->fields->Find(key, end_, &cursor);
    if (index == JsonFields::kIgnored) continue;
    if (index == JsonFields::kUnknown) {
      path_ = JsonFields::Name(key, end_);
      problem_ = "not in the schema (unknownFields: Error)";
      return false;
    }
    const auto member = static_cast<size_t>(index);
    Column* const column = (*columns)[member].get();
    if (node->seen[member] == number) {
      Truncate(column, row);  // said before: the last one counts
    } else {
      node->seen[member] = number;
      ++found;
    }
    if (!ReadValue(std::move(result).value_unsafe().value(), node->parts[member].get(), column))
      return InMember(node->members[member].name);
  }
  return found == node->members.size() || ReadMissing(node, columns);
}

bool JsonReader::ReadMissing(JsonNode* node, std::vector<std::shared_ptr<Column>>* columns) {
  for (size_t i = 0; i < node->members.size(); ++i) {
    if (node->seen[i] == node->objects) continue;
    if (!node->members[i].type.nullable()) {
      problem_ = "missing";
      return InMember(node->members[i].name);
    }
    (*columns)[i]->AppendNull();
  }
  return true;
}

bool JsonReader::ReadValue(ondemand::value value, JsonNode* node, Column* column) {
  std::string_view token = value.raw_json_token();
  while (!token.empty() && (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' ||
                            token.back() == '\t')) {
    token.remove_suffix(1);
  }
  if (token != "null") {
    if (node->type.kind() == Kind::kList) return ReadList(value, node, column);
    if (node->type.kind() == Kind::kMap) return ReadMap(value, node, column);
    if (node->type.kind() == Kind::kStruct) return ReadStruct(value, node, column);
  }
  return ReadScalar(token, *node, column);
}

bool JsonReader::ReadScalar(std::string_view token, const JsonNode& node, Column* column) {
  if (token == "null") {
    if (node.type.kind() == Kind::kJson && !node.type.nullable()) return ReadJson(token, column);
    if (!node.type.nullable()) return Mismatch(token, node);
    column->AppendNull();
    return true;
  }
  switch (node.type.kind()) {
    case Kind::kBool:
      return ReadBool(token, column);
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kDouble:
      return ReadNumber(token, node, column);
    case Kind::kString:
    case Kind::kBytes:
    case Kind::kDuration:
      return ReadString(token, node, column);
    case Kind::kTimestamp:
      return ReadTimestamp(token, node, column);
    case Kind::kJson:
      return ReadJson(token, column);
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
  return Mismatch(token, node);
}

bool JsonReader::ReadBool(std::string_view token, Column* column) {
  const bool yes = token == "true";
  if (!yes && token != "false") return Fail("expected bool, found " + DescribeJson(token));
  Push(column, &column->bools, static_cast<uint8_t>(yes ? 1 : 0));
  return true;
}

bool JsonReader::ReadNumber(std::string_view token, const JsonNode& node, Column* column) {
  NumberOutcome outcome = NumberOutcome::kNotThis;
  if (node.type.kind() == Kind::kInt) {
    int64_t number = 0;
    outcome = ParseJsonInt(token, &number);
    if (outcome == NumberOutcome::kOk) Push(column, &column->ints, number);
  } else if (node.type.kind() == Kind::kUint) {
    uint64_t number = 0;
    outcome = ParseJsonUint(token, &number);
    if (outcome == NumberOutcome::kOk) Push(column, &column->uints, number);
  } else {
    double number = 0;
    outcome = ParseJsonDouble(token, &number);
    if (outcome == NumberOutcome::kOk) Push(column, &column->doubles, number);
  }
  if (outcome == NumberOutcome::kOk) return true;
  if (outcome == NumberOutcome::kNotThis) return Mismatch(token, node);
  return Fail(Excerpt(token, 40) + " is out of range for " + node.type.AsRequired().ToString());
}

bool JsonReader::StringOf(std::string_view token, std::string_view* text) {
  *text = token.substr(1, token.size() - 2);
  if (std::memchr(text->data(), '\\', text->size()) == nullptr) return true;
  return UnescapeJson(*text, arena_, text) ||
         Fail("malformed escape or lone surrogate in a string");
}

bool JsonReader::ReadString(std::string_view token, const JsonNode& node, Column* column) {
  if (token.size() < 2 || token.front() != '"' || token.back() != '"') return Mismatch(token, node);
  std::string_view text;
  if (!StringOf(token, &text)) return false;
  if (node.type.kind() == Kind::kBytes) return ReadBytes(text, column);
  if (node.type.kind() == Kind::kDuration) return ReadDuration(text, column);
  Push(column, &column->strings, text);
  return true;
}

bool JsonReader::ReadBytes(std::string_view text, Column* column) {
  const Result<std::string> bytes = Base64Decode(text);
  if (!bytes.ok()) return Fail(bytes.status().message());
  Push(column, &column->strings, arena_->Copy(*bytes));
  return true;
}

bool JsonReader::ReadDuration(std::string_view text, Column* column) {
  const Result<Duration> duration = ParseDuration(text);
  if (!duration.ok()) return Fail(duration.status().message());
  Push(column, &column->ints, int64_t{duration->count()});
  return true;
}

bool JsonReader::ReadTimestamp(std::string_view token, const JsonNode& node, Column* column) {
  const bool number = !token.empty() && (token[0] == '-' || (token[0] >= '0' && token[0] <= '9'));
  const bool string = token.size() >= 2 && token.front() == '"' && token.back() == '"';
  const bool rfc3339 = timestamps_.kind == api::TimestampKind::kRfc3339;
  if (!string && (!number || rfc3339)) return Mismatch(token, node);
  std::string_view text = token;
  if (string && !StringOf(token, &text)) return false;
  int64_t micros = 0;
  if (!ParsePlainTimestamp(timestamps_.kind, text, &micros)) {
    const Result<int64_t> time = ParseTimestampMicros(timestamps_, text);
    if (!time.ok()) return Fail(time.status().message());
    micros = *time;
  }
  Push(column, &column->ints, micros);
  return true;
}

// The text of the value as it stands. Skipping does not look inside, so it is checked here.
bool JsonReader::ReadJson(std::string_view token, Column* column) {
  const std::string_view rest(token.data(), static_cast<size_t>(end_ - token.data()));
  const JsonFault fault = CheckJsonValue(rest);
  if (!fault.ok()) return Fail(fault.Message());
  Push(column, &column->strings, rest.substr(0, fault.end));
  return true;
}

bool JsonReader::ReadList(ondemand::value value, JsonNode* node, Column* column) {
  ondemand::array array;
  if (value.raw_json_token().front() != '[') return Mismatch(value.raw_json_token(), *node);
  if (const auto error = value.get_array().get(array); error != simdjson::SUCCESS)
    return Malformed(error);
  size_t index = 0;
  for (auto result : array) {
    ondemand::value element;
    if (const auto error = std::move(result).get(element); error != simdjson::SUCCESS)
      return Malformed(error);
    if (!ReadValue(element, node->parts[0].get(), column->children[0].get()))
      return InElement(index);
    ++index;
  }
  column->FinishList();
  return true;
}

bool JsonReader::ReadMap(ondemand::value value, JsonNode* node, Column* column) {
  ondemand::object object;
  if (value.raw_json_token().front() != '{') return Mismatch(value.raw_json_token(), *node);
  if (const auto error = value.get_object().get(object); error != simdjson::SUCCESS)
    return Malformed(error);
  Column* const keys = column->children[0].get();
  for (auto result : object) {
    if (const auto error = result.error(); error != simdjson::SUCCESS) return Malformed(error);
    const char* const key = std::move(result).value_unsafe().key().raw();
    const char* key_end = key;
    while (key_end < end_ && *key_end != '"') key_end += *key_end == '\\' ? 2 : 1;
    std::string_view name(key, static_cast<size_t>(key_end - key));
    if (name.find('\\') != std::string_view::npos && !UnescapeJson(name, arena_, &name))
      return Fail("malformed escape or lone surrogate in a member name");
    Push(keys, &keys->strings, name);
    if (!ReadValue(std::move(result).value_unsafe().value(), node->parts[0].get(),
                   column->children[1].get()))
      return InMember(name);
  }
  KeepLastOfEqualKeys(column);
  column->FinishList();
  return true;
}

bool JsonReader::ReadStruct(ondemand::value value, JsonNode* node, Column* column) {
  ondemand::object object;
  if (value.raw_json_token().front() != '{') return Mismatch(value.raw_json_token(), *node);
  if (const auto error = value.get_object().get(object); error != simdjson::SUCCESS)
    return Malformed(error);
  if (!ReadMembers(object, node, &column->children, column->size())) return false;
  column->FinishStruct();
  return true;
}

bool JsonReader::Malformed(simdjson::error_code error) {
  return Fail("not JSON: " + std::string(simdjson::error_message(error)));
}

bool JsonReader::Mismatch(std::string_view token, const JsonNode& node) {
  return Fail("expected " + node.type.AsRequired().ToString() + ", found " + DescribeJson(token));
}

bool JsonReader::Fail(std::string problem) {
  problem_ = std::move(problem);
  return false;
}

bool JsonReader::InMember(std::string_view name) {
  const bool joined = path_.empty() || path_.front() == '[';
  path_ = Excerpt(name) + (joined ? "" : ".") + path_;
  return false;
}

bool JsonReader::InElement(size_t index) {
  const bool joined = path_.empty() || path_.front() == '[';
  path_ = "[" + std::to_string(index) + "]" + (joined ? "" : ".") + path_;
  return false;
}

// Text that is not JSON at all says so first, whatever the reader met before the fault.
std::string JsonReader::Message(std::string_view record) const {
  const JsonFault fault = CheckJson(record);
  if (!fault.ok()) return fault.Message();
  const std::string_view text = TrimJson(record);
  if (text.front() != '{') return "expected an object, found " + DescribeJson(text);
  if (problem_.empty()) return "not JSON: the object does not end where the record ends";
  return path_.empty() ? problem_ : "field \"" + path_ + "\": " + problem_;
}

}  // namespace millrace::worker
