#include "worker/table/content_reader.h"

#include <algorithm>

#include "crds/base/text.h"
#include "worker/data/format.h"
#include "worker/data/raw_records.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Line (from 1) on which each record begins.
std::vector<int64_t> LinesOf(std::string_view content,
                             const std::vector<std::string_view>& records) {
  std::vector<int64_t> lines;
  lines.reserve(records.size());
  int64_t line = 1;
  const char* at = content.data();
  for (const std::string_view record : records) {
    line += std::count(at, record.data(), '\n');
    at = record.data();
    lines.push_back(line);
  }
  return lines;
}

// The content and the padding that decoders may read behind it.
std::shared_ptr<const std::string> Padded(std::string bytes) {
  bytes.append(Arena::kPadding, '\0');
  return std::make_shared<const std::string>(std::move(bytes));
}

Status BadRecordError(const DecodeResult& decoded, const RawRecords& raw,
                      const std::string& where) {
  const BadRecord& first = decoded.bad.front();
  std::string message = where + ":" + std::to_string(raw.lines[first.row]) + ": " + first.message;
  if (decoded.bad.size() > 1)
    message += " (and " + std::to_string(decoded.bad.size() - 1) + " more bad records)";
  return InvalidError(std::move(message));
}

}  // namespace

Result<ContentReader> ContentReader::Create(const api::Table& table) {
  api::Diagnostics problems;
  Result<Schema> schema = TableSchema(table, &problems, "table " + table.name);
  if (!schema.ok()) return schema.status();
  std::vector<int> key;
  for (const std::string& name : table.key) key.push_back(schema->Find(name));
  return ContentReader(table, std::make_shared<Schema>(*std::move(schema)), std::move(key));
}

Result<TableVersionRef> ContentReader::Read(std::string bytes, const std::string& where) {
  std::string version = HexEncode(Sha256(bytes));
  if (last_ != nullptr && last_->version() == version) return last_;
  ASSIGN_OR_RETURN(RecordBatch rows, Decode(std::move(bytes), where));
  Result<TableVersionRef> built =
      TableVersion::Build(std::move(version), std::move(rows), key_, table_.max_rows);
  if (!built.ok()) return built.status().WithContext(where);
  last_ = *built;
  return last_;
}

Result<RecordBatch> ContentReader::Decode(std::string bytes, const std::string& where) const {
  ASSIGN_OR_RETURN(const std::unique_ptr<Decoder> decoder, MakeDecoder(*table_.format, schema_));
  const size_t size = bytes.size();
  const std::shared_ptr<const std::string> owner = Padded(std::move(bytes));
  std::string_view content = std::string_view(*owner).substr(0, size);
  if (content.starts_with(kByteOrderMark)) content.remove_prefix(kByteOrderMark.size());
  RawRecords raw;
  if (FramingOf(*table_.format) == Framing::kCsv) {
    SplitCsvRecords(content, true, &raw.payloads);
  } else {
    SplitLines(content, true, &raw.payloads);
  }
  raw.lines = LinesOf(content, raw.payloads);
  if (decoder->wants_header()) {
    if (raw.payloads.empty())
      return InvalidError(where + " is empty; its first line must be the csv header");
    RETURN_IF_ERROR(decoder->SetHeader(raw.payloads.front()).WithContext(where + ":1"));
    raw.payloads.erase(raw.payloads.begin());
    raw.lines.erase(raw.lines.begin());
  }
  // Blank lines are no rows: the exact count is taken after decoding, this spares the work.
  if (static_cast<int64_t>(raw.payloads.size()) / 2 - 500 > table_.max_rows) {
    return InvalidError(where + " has " + std::to_string(raw.payloads.size()) +
                        " records, more than maxRows (" + std::to_string(table_.max_rows) + ")");
  }
  raw.path = where;
  raw.owners.push_back(owner);
  DecodeResult decoded = decoder->Decode(raw);
  if (!decoded.bad.empty()) return BadRecordError(decoded, raw, where);
  return std::move(decoded.batch);
}

}  // namespace millrace::worker
