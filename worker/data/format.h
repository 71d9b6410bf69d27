#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"
#include "worker/data/raw_records.h"
#include "worker/data/record_batch.h"

namespace millrace::worker {

// Rows of one call plus what failed. The result batch holds only good rows; source_rows[i] is the
// payload index of row i (empty when it is the identity), so that hidden columns can be gathered to
// match.
struct DecodeResult {
  RecordBatch batch;
  std::vector<uint32_t> source_rows;
  std::vector<BadRecord> bad;
};

// How records lie in a byte stream of this format.
enum class Framing { kLines, kCsv };

// Turns payloads into columns. One per task: keeps parsers and scratch memory; thread-compatible,
// not shared between threads.
class Decoder {
 public:
  virtual ~Decoder() = default;
  virtual const SchemaRef& schema() const = 0;
  // Never fails as a whole: each undecodable record is in `bad` with a message that names field,
  // found and expected. Blank payloads of json and csv are skipped silently. The batch keeps
  // `raw.owners` alive as needed.
  virtual DecodeResult Decode(const RawRecords& raw) = 0;
  // True when the first record of a file is not data (csv header); the file source then passes it
  // to SetHeader.
  virtual bool wants_header() const { return false; }
  virtual Status SetHeader(std::string_view record);
};

// The full schema a format declares (before pruning): text -> value: string, raw -> value: bytes,
// json without schema -> value: json. Errors carry paths relative to the format
// ("json.schema.amount").
Result<Schema> DeclaredSchema(const api::Format& format, api::Diagnostics* diagnostics,
                              const std::string& path);
Framing FramingOf(const api::Format& format);

// A decoder that fills exactly the fields of `wanted` (a subset of the declared schema, also inside
// structs) and skips the rest without validating it. Requires: the format passed its checks.
Result<std::unique_ptr<Decoder>> MakeDecoder(const api::Format& format, SchemaRef wanted);

// Rows as bytes: encoded[i] is row i without line break.
class Encoder {
 public:
  virtual ~Encoder() = default;
  // Appends one line per good row to `out`, each followed by '\n', and each row's end position to
  // `ends` when given (bad rows repeat the previous end). Bad rows are reported in `bad` and leave
  // no bytes.
  virtual void Encode(const RecordBatch& batch, std::string* out, std::vector<size_t>* ends,
                      std::vector<BadRecord>* bad) = 0;
  // Text that starts a file (csv header with its line break), empty for none.
  virtual std::string Header() const { return {}; }
  // "txt", "json", "csv": the extension of files.
  virtual std::string_view extension() const = 0;
};

// Checks that rows of `schema` can be written in this format and builds the encoder. Only visible
// fields are written, in schema order (csv: `columns` when given). Errors name format and field.
Result<std::unique_ptr<Encoder>> MakeEncoder(const api::Format& format, SchemaRef schema);

// ---- timestamps as text
// -------------------------------------------------------------------------------------

// Reads one timestamp; numbers arrive as their text. Errors name the text and the expected form.
Result<int64_t> ParseTimestampMicros(const api::TimestampFormat& format, std::string_view text);
void AppendTimestamp(const api::TimestampFormat& format, int64_t micros, std::string* out);
// strptime over UTC with %z; strftime with %Y %m %d %H %M %S %f %j %b %B %a %A %y %e %p %I %s %z %Z
// %F %T %%. Locale-free.
Result<int64_t> ParseTimeLayout(std::string_view layout, std::string_view text);
// `zone`: "" or "UTC", "+02:00", or an IANA name from the system database.
Result<std::string> FormatTimeLayout(std::string_view layout, int64_t micros,
                                     std::string_view zone);

}  // namespace millrace::worker
