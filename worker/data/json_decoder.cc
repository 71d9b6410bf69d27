#include <algorithm>

#include "worker/data/codecs.h"
#include "worker/data/decode_limits.h"
#include "worker/data/json_check.h"
#include "worker/data/json_reader.h"
#include "worker/data/json_text.h"
#include "worker/data/row_collector.h"

namespace millrace::worker {
namespace {

// Records of a declared schema.
class JsonDecoder final : public Decoder {
 public:
  JsonDecoder(const api::JsonFormat& format, const Schema& declared, SchemaRef wanted)
      : schema_(std::move(wanted)),
        reader_(format.timestamp_format,
                MakeJsonNode(declared.AsStruct(), schema_->AsStruct(), {format})) {}

  const SchemaRef& schema() const override { return schema_; }

  DecodeResult Decode(const RawRecords& raw) override {
    RowCollector rows(schema_, raw);
    for (size_t i = 0; i < raw.payloads.size(); ++i) {
      const std::string_view record = raw.payloads[i];
      if (IsNullRecord(raw, i)) {
        rows.AcceptNull(i);
      } else if (record.size() > kMaxDecodedBytes) {
        rows.Refuse(i, TooLargeMessage(record.size()));
      } else if (IsBlank(record)) {
        continue;
      } else if (const Status read = reader_.Read(record, &rows.columns(), rows.arena());
                 read.ok()) {
        rows.Accept(i);
      } else {
        rows.Refuse(i, read.message());
      }
    }
    return rows.Finish();
  }

 private:
  SchemaRef schema_;
  JsonReader reader_;
};

// Records without a schema: each is one value, checked and kept as its text.
class JsonValueDecoder final : public Decoder {
 public:
  explicit JsonValueDecoder(SchemaRef wanted) : schema_(std::move(wanted)) {}

  const SchemaRef& schema() const override { return schema_; }

  DecodeResult Decode(const RawRecords& raw) override {
    RowCollector rows(schema_, raw);
    for (size_t i = 0; i < raw.payloads.size(); ++i) {
      const std::string_view record = raw.payloads[i];
      if (IsNullRecord(raw, i)) {
        rows.AcceptNull(i);
      } else if (record.size() > kMaxDecodedBytes) {
        rows.Refuse(i, TooLargeMessage(record.size()));
      } else if (IsBlank(record)) {
        continue;
      } else if (const JsonFault fault = CheckJson(record); !fault.ok()) {
        rows.Refuse(i, fault.Message());
      } else {
        if (schema_->size() > 0) rows.column(0)->AppendView(TrimJson(record));
        rows.Accept(i);
      }
    }
    return rows.Finish();
  }

 private:
  SchemaRef schema_;
};

std::string NameInData(const std::string& field, const JsonNodeOptions& options) {
  if (!options.top_level) return field;
  const auto name = options.format.names.find(field);
  return name == options.format.names.end() ? field : name->second;
}

std::unique_ptr<JsonFields> MakeFields(const Type& declared, const Type& wanted,
                                       const JsonNodeOptions& options) {
  std::vector<std::string> names;
  std::vector<std::string> ignored;
  for (const Field& field : wanted.fields()) names.push_back(NameInData(field.name, options));
  for (const Field& field : declared.fields()) {
    if (wanted.FindField(field.name) < 0) ignored.push_back(NameInData(field.name, options));
  }
  const bool strict = options.format.unknown_fields == api::JsonFormat::UnknownFields::kError;
  return std::make_unique<JsonFields>(std::move(names), ignored,
                                      strict ? JsonFields::kUnknown : JsonFields::kIgnored);
}

}  // namespace

std::unique_ptr<JsonNode> MakeJsonNode(const Type& declared, const Type& wanted,
                                       const JsonNodeOptions& options) {
  auto node = std::make_unique<JsonNode>();
  node->type = wanted;
  const JsonNodeOptions nested{options.format, false};
  if (wanted.kind() == Kind::kList) {
    node->parts.push_back(MakeJsonNode(declared.element(), wanted.element(), nested));
  } else if (wanted.kind() == Kind::kMap) {
    node->parts.push_back(MakeJsonNode(declared.map_value(), wanted.map_value(), nested));
  } else if (wanted.kind() == Kind::kStruct) {
    node->members = wanted.fields();
    node->seen.assign(node->members.size(), 0);
    node->fields = MakeFields(declared, wanted, options);
    for (const Field& member : node->members) {
      const int index = declared.FindField(member.name);
      const Type& whole =
          index < 0 ? member.type : declared.fields()[static_cast<size_t>(index)].type;
      node->parts.push_back(MakeJsonNode(whole, member.type, nested));
    }
  }
  return node;
}

Result<std::unique_ptr<Decoder>> MakeJsonDecoder(const api::JsonFormat& format,
                                                 const Schema& declared, SchemaRef wanted) {
  if (!format.schema)
    return std::unique_ptr<Decoder>(std::make_unique<JsonValueDecoder>(std::move(wanted)));
  return std::unique_ptr<Decoder>(
      std::make_unique<JsonDecoder>(format, declared, std::move(wanted)));
}

}  // namespace millrace::worker
