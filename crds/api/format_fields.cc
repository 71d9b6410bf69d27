#include "crds/api/slots.h"

namespace millrace::api {
namespace {

constexpr std::string_view kSchemaExample = "{user: string, at: timestamp}";

void DescribeDelimiter(Fields& fields, char& target) {
  fields.OnText(
      Optional("delimiter", "Character between two values of a line.", {}, "\";\""),
      {.type = "character",
       .choices = {},
       .get = [&]() -> std::optional<std::string> { return std::string(1, target); },
       .set = [&](const std::string& text) -> Status {
         if (text.size() != 1 || text == "\"" || text == "\n" || text == "\r") {
           return InvalidError("expected one ASCII character other than a quote or line break");
         }
         target = text[0];
         return OkStatus();
       },
       .shape = {.min_length = 1, .max_length = 1}});
}

void DescribeDefinition(Fields& fields, std::optional<Registry>& registry,
                        std::optional<FileRef>& definition, std::string_view meaning) {
  Object(fields, Optional("registry", "Schema registry that holds the definition.", "none"),
         registry);
  Object(fields, Optional("definition", meaning, "none"), definition);
  fields.OneOf({"registry", "definition"}, true);
}

}  // namespace

void DescribeSchema(Fields& fields, const Field& field, std::optional<SchemaMap>& target) {
  StringMap(fields, field, target, kName, kTypeText, 1);
}

void DescribeSchema(Fields& fields, const Field& field, SchemaMap& target) {
  StringMap(fields, field, target, kName, kTypeText, 1);
}

void DescribeFormat(Fields& fields, const Field& field, std::optional<Format>& target) {
  Union(fields, field, target,
        {{"text", "Lines of UTF-8: value: string."},
         {"raw", "Bytes as they are: value: bytes."},
         {"json", "One JSON value a record."},
         {"csv", "One RFC 4180 line a record."},
         {"regex", "Lines cut by the named groups of a regular expression."},
         {"avro", "Apache Avro."},
         {"protobuf", "Protocol Buffers."}});
}

void Describe(Fields&, TextFormat&) {}
void Describe(Fields&, RawFormat&) {}

void Describe(Fields& fields, JsonFormat& value) {
  DescribeSchema(
      fields,
      Optional("schema",
               "Fields and their types; without it the whole value is one field value: json.",
               "none", kSchemaExample),
      value.schema);
  Layout(fields, value.timestamp_format);
  StringMap(fields,
            Optional("names", "Field -> its name in the data, where that is no valid field name.",
                     "{}", "{agent: user-agent}"),
            value.names, kName, kNonEmptyText);
  Enum(fields, Optional("unknownFields", "What members outside the schema do."),
       value.unknown_fields, {"Ignore", "Error"});
  Bool(fields, Optional("omitNull", "Leaves members with null out when writing."), value.omit_null);
}

void Describe(Fields& fields, CsvFormat& value) {
  DescribeSchema(
      fields,
      Optional("schema", "Columns and their types; required to read.", "none", kSchemaExample),
      value.schema);
  Strings(fields,
          Optional("columns", "Order of the columns; required to read without a header.",
                   "by the header", "[user, at]"),
          value.columns, kName, 1);
  Bool(fields, Optional("header", "The first line names the columns."), value.header);
  DescribeDelimiter(fields, value.delimiter);
  Layout(fields, value.timestamp_format);
}

void Describe(Fields& fields, RegexFormat& value) {
  Text(fields,
       Required(
           "pattern",
           "Regular expression (RE2) that matches a whole line; its named groups are the fields.",
           "'(?P<user>\\S+) (?P<status>\\d+)'"),
       value.pattern, kRegexText);
  DescribeSchema(
      fields,
      Required("schema", "The named groups and their types.", "{user: string, status: int}"),
      value.schema);
  Layout(fields, value.timestamp_format);
}

void Describe(Fields& fields, AvroFormat& value) {
  DescribeSchema(
      fields,
      Optional("schema", "Fields wanted; writer schemas are resolved onto it; required to read.",
               "none", kSchemaExample),
      value.schema);
  DescribeDefinition(fields, value.registry, value.definition, "File with the schema (.avsc).");
}

void Describe(Fields& fields, ProtobufFormat& value) {
  DescribeSchema(fields,
                 Optional("schema", "Fields wanted; required to read.", "none", kSchemaExample),
                 value.schema);
  Text(fields, Required("message", "Full name of the message type.", "shop.Order"), value.message,
       kNonEmptyText);
  DescribeDefinition(fields, value.registry, value.definition, "File with a descriptor set.");
}

void Describe(Fields& fields, Registry& value) {
  Text(fields, Required("url", "Address of the schema registry.", "\"http://registry:8081\""),
       value.url, kHttpUrl);
  DescribeAuth(fields, value.auth);
  DescribeTls(fields, value.tls);
  Text(fields, Optional("subject", "Subject that holds the schema.", "<topic>-value"),
       value.subject, kNonEmptyText);
  Bool(fields, Optional("autoRegister", "Registers a new schema when writing."),
       value.auto_register);
}

}  // namespace millrace::api
