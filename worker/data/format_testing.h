#pragma once

#include <memory>
#include <string>
#include <vector>

#include "worker/data/format.h"

// Records for tests of formats.
namespace millrace::worker::testing {

// The payloads one behind the other, with the bytes that decoders may read behind them.
inline RawRecords Raw(const std::vector<std::string>& payloads) {
  auto block = std::make_shared<std::string>();
  for (const std::string& payload : payloads) *block += payload + "\n";
  const size_t size = block->size();
  block->append(Arena::kPadding, '}');  // the worst that may stand there
  RawRecords raw;
  size_t at = 0;
  for (const std::string& payload : payloads) {
    raw.payloads.push_back(std::string_view(*block).substr(at, payload.size()));
    at += payload.size() + 1;
  }
  CHECK(at == size);
  raw.owners.push_back(block);
  return raw;
}

inline Schema SchemaOf(const api::Format& format) {
  api::Diagnostics diagnostics;
  Result<Schema> schema = DeclaredSchema(format, &diagnostics, "format");
  CHECK(schema.ok());
  return std::move(schema).value();
}

inline std::unique_ptr<Decoder> DecoderOf(const api::Format& format) {
  Result<std::unique_ptr<Decoder>> decoder =
      MakeDecoder(format, std::make_shared<Schema>(SchemaOf(format)));
  CHECK(decoder.ok());
  return std::move(decoder).value();
}

inline std::vector<std::string> Rows(const RecordBatch& batch) {
  std::vector<std::string> rows;
  for (size_t row = 0; row < batch.num_rows(); ++row) rows.push_back(RowToJson(batch, row));
  return rows;
}

// What becomes of one record: its row as JSON, or "bad: " and the message, or "nothing".
inline std::string Decoded(Decoder* decoder, const std::string& record) {
  const RawRecords raw = Raw({record});
  const DecodeResult result = decoder->Decode(raw);
  if (!result.bad.empty()) return "bad: " + result.bad[0].message;
  return result.batch.num_rows() == 0 ? "nothing" : RowToJson(result.batch, 0);
}
inline std::string Decoded(const api::Format& format, const std::string& record) {
  return Decoded(DecoderOf(format).get(), record);
}

struct DecodeCase {
  std::string record, want;
};

}  // namespace millrace::worker::testing
