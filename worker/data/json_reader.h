#pragma once

#include <simdjson.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "crds/api/spec.h"
#include "worker/data/arena.h"
#include "worker/data/column.h"
#include "worker/data/json_fields.h"

namespace millrace::worker {

// How values of one type are read, with everything that can be prepared once. A tree in the shape
// of the type.
struct JsonNode {
  Type type;
  std::vector<Field> members;  // of structs: the wanted ones
  std::vector<std::unique_ptr<JsonNode>>
      parts;  // one per member, or the element of a list, or the value of a map
  std::unique_ptr<JsonFields> fields;  // of structs
  std::vector<uint64_t> seen;          // by member: the number of the object that had it last
  uint64_t objects = 0;
};

struct JsonNodeOptions {
  const api::JsonFormat& format;
  // The fields of the top level have other names in the data.
  bool top_level = true;
};
// `wanted` is `declared` with struct members left out.
std::unique_ptr<JsonNode> MakeJsonNode(const Type& declared, const Type& wanted,
                                       const JsonNodeOptions& options);

// Reads one JSON object into columns in one pass over its members, in their order in the document.
// A member that comes again replaces what came before. Strings without escapes become views into
// the record. Records of plain members (ASCII scalars with names seen before) are read without an
// index of their structure, all others by simdjson, with the same result. Thread-compatible.
class JsonReader {
 public:
  JsonReader(const api::TimestampFormat& timestamps, std::unique_ptr<JsonNode> root)
      : timestamps_(timestamps), root_(std::move(root)) {}

  // Appends a row to `columns`. On failure returns what is wrong, and the columns may hold parts of
  // the row. Requires: at least Arena::kPadding readable bytes behind `record`.
  Status Read(std::string_view record, std::vector<std::shared_ptr<Column>>* columns, Arena* arena);

 private:
  using Value = simdjson::ondemand::value;
  using Object = simdjson::ondemand::object;

  bool ExpectsPlain();
  // False when the record is not plain, or wrong in any way; then the columns may hold parts of the
  // row.
  bool ReadPlain(const char* at, std::vector<std::shared_ptr<Column>>* columns);
  bool ReadMembers(Object object, JsonNode* node, std::vector<std::shared_ptr<Column>>* columns,
                   size_t row);
  bool ReadMissing(JsonNode* node, std::vector<std::shared_ptr<Column>>* columns);
  bool ReadValue(Value value, JsonNode* node, Column* column);
  bool ReadScalar(std::string_view token, const JsonNode& node, Column* column);
  bool ReadBool(std::string_view token, Column* column);
  bool ReadNumber(std::string_view token, const JsonNode& node, Column* column);
  bool ReadString(std::string_view token, const JsonNode& node, Column* column);
  bool ReadBytes(std::string_view text, Column* column);
  bool ReadTimestamp(std::string_view token, const JsonNode& node, Column* column);
  bool ReadDuration(std::string_view text, Column* column);
  bool ReadJson(std::string_view token, Column* column);
  bool ReadList(Value value, JsonNode* node, Column* column);
  bool ReadMap(Value value, JsonNode* node, Column* column);
  bool ReadStruct(Value value, JsonNode* node, Column* column);
  // The content of a string token.
  bool StringOf(std::string_view token, std::string_view* text);

  bool Malformed(simdjson::error_code error);
  bool Mismatch(std::string_view token, const JsonNode& node);
  bool Fail(std::string problem);
  // Puts the name of a member, or the number of an element, in front of the path of the failure.
  bool InMember(std::string_view name);
  bool InElement(size_t index);
  std::string Message(std::string_view record) const;

  api::TimestampFormat timestamps_;
  std::unique_ptr<JsonNode> root_;
  simdjson::ondemand::parser parser_;
  Arena* arena_ = nullptr;
  const char* end_ = nullptr;  // of the record
  int plain_failures_ = 0;     // in a row
  std::string path_;           // of the failure
  std::string problem_;
};

}  // namespace millrace::worker
