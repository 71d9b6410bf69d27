// Feeds bytes from outside to everything that reads them. The first byte chooses the reader; the
// rest is its input, cut into lines. Build with -DMILLRACE_FUZZ=ON and clang; seeds are in
// tests/fuzz/corpus/decode.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "worker/data/format.h"

namespace millrace::worker {
namespace {

api::Format FormatOf(uint8_t choice) {
  const api::SchemaMap flat = {
      {"a", "int?"}, {"b", "string"}, {"c", "timestamp?"}, {"d", "double?"}};
  switch (choice % 5) {
    case 0: {
      api::JsonFormat json;
      json.schema = flat;
      (*json.schema)["l"] = "list<struct<x: json?, m: map<string, uint>?>>?";
      return json;
    }
    case 1:
      return api::JsonFormat{};
    case 2: {
      api::CsvFormat csv;
      csv.schema = flat;
      csv.columns = {{"a", "b", "c", "d"}};
      return csv;
    }
    case 3: {
      api::RegexFormat regex;
      regex.pattern = R"((?P<a>-?\d*) (?P<b>\S+)(?: (?P<c>\S+))?(?: (?P<d>.+))?)";
      regex.schema = flat;
      return regex;
    }
    default:
      return api::TextFormat{};
  }
}

// What was decoded is written again, which must neither crash nor give text that is not UTF-8.
void DecodeRecords(uint8_t choice, std::string_view bytes) {
  const api::Format format = FormatOf(choice);
  api::Diagnostics diagnostics;
  auto schema = std::make_shared<Schema>(*DeclaredSchema(format, &diagnostics, "format"));
  auto block = std::make_shared<std::string>(bytes);
  block->append(Arena::kPadding, '}');
  const std::string_view content = std::string_view(*block).substr(0, bytes.size());
  RawRecords raw;
  if (FramingOf(format) == Framing::kCsv) {
    SplitCsvRecords(content, true, &raw.payloads);
  } else {
    SplitLines(content, true, &raw.payloads);
  }
  raw.owners.push_back(block);
  const DecodeResult result = (*MakeDecoder(format, schema))->Decode(raw);
  if (result.batch.num_rows() + result.bad.size() > raw.payloads.size()) std::abort();
  std::string out;
  std::vector<BadRecord> bad;
  (*MakeEncoder(api::JsonFormat{}, schema))->Encode(result.batch, &out, nullptr, &bad);
  if (!bad.empty()) std::abort();
}

}  // namespace
}  // namespace millrace::worker

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  if (data[0] % 6 < 5) {
    millrace::worker::DecodeRecords(data[0] % 6, bytes);
    return 0;
  }
  const auto batch = millrace::worker::DecodeBatch(bytes);
  if (batch.ok() && batch->num_rows() > 0) millrace::worker::RowToJson(*batch, 0);
  return 0;
}
