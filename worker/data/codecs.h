#pragma once

#include <memory>

#include "worker/data/format.h"

// The makers that format.cc chooses from, one pair per format. `declared` is the full schema of the
// format, `wanted` a part of it.
namespace millrace::worker {

Result<std::unique_ptr<Decoder>> MakeTextDecoder(SchemaRef wanted);
Result<std::unique_ptr<Decoder>> MakeRawDecoder(SchemaRef wanted);
Result<std::unique_ptr<Decoder>> MakeJsonDecoder(const api::JsonFormat& format,
                                                 const Schema& declared, SchemaRef wanted);
Result<std::unique_ptr<Decoder>> MakeCsvDecoder(const api::CsvFormat& format,
                                                const Schema& declared, SchemaRef wanted);
Result<std::unique_ptr<Decoder>> MakeRegexDecoder(const api::RegexFormat& format, SchemaRef wanted);

Result<std::unique_ptr<Encoder>> MakeTextEncoder(SchemaRef schema);
Result<std::unique_ptr<Encoder>> MakeRawEncoder(SchemaRef schema);
Result<std::unique_ptr<Encoder>> MakeJsonEncoder(const api::JsonFormat& format, SchemaRef schema);
Result<std::unique_ptr<Encoder>> MakeCsvEncoder(const api::CsvFormat& format, SchemaRef schema);

}  // namespace millrace::worker
