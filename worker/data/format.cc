#include "worker/data/format.h"

#include "crds/base/overloaded.h"
#include "worker/data/codecs.h"

namespace millrace::worker {
namespace {

Status NotYet(std::string_view format) {
  return InvalidError("not supported yet: format " + std::string(format));
}

// The schema of a format that was checked before.
Result<Schema> CheckedSchema(const api::Format& format) {
  api::Diagnostics ignored;
  return DeclaredSchema(format, &ignored, "format");
}

}  // namespace

Status Decoder::SetHeader(std::string_view record) {
  (void)record;
  return InvalidError("this format has no header line");
}

Framing FramingOf(const api::Format& format) {
  return std::holds_alternative<api::CsvFormat>(format) ? Framing::kCsv : Framing::kLines;
}

Result<std::unique_ptr<Decoder>> MakeDecoder(const api::Format& format, SchemaRef wanted) {
  using Made = Result<std::unique_ptr<Decoder>>;
  ASSIGN_OR_RETURN(const Schema declared, CheckedSchema(format));
  return std::visit(
      Overloaded{
          [&](const api::TextFormat&) -> Made { return MakeTextDecoder(wanted); },
          [&](const api::RawFormat&) -> Made { return MakeRawDecoder(wanted); },
          [&](const api::JsonFormat& json) { return MakeJsonDecoder(json, declared, wanted); },
          [&](const api::CsvFormat& csv) { return MakeCsvDecoder(csv, declared, wanted); },
          [&](const api::RegexFormat& regex) { return MakeRegexDecoder(regex, wanted); },
          [](const api::AvroFormat&) -> Made { return NotYet("avro"); },
          [](const api::ProtobufFormat&) -> Made { return NotYet("protobuf"); }},
      format);
}

Result<std::unique_ptr<Encoder>> MakeEncoder(const api::Format& format, SchemaRef schema) {
  using Made = Result<std::unique_ptr<Encoder>>;
  return std::visit(
      Overloaded{[&](const api::TextFormat&) -> Made { return MakeTextEncoder(schema); },
                 [&](const api::RawFormat&) -> Made { return MakeRawEncoder(schema); },
                 [&](const api::JsonFormat& json) { return MakeJsonEncoder(json, schema); },
                 [&](const api::CsvFormat& csv) { return MakeCsvEncoder(csv, schema); },
                 [](const api::RegexFormat&) -> Made {
                   return InvalidError("format regex only reads; write text, json or csv");
                 },
                 [](const api::AvroFormat&) -> Made { return NotYet("avro"); },
                 [](const api::ProtobufFormat&) -> Made { return NotYet("protobuf"); }},
      format);
}

}  // namespace millrace::worker
