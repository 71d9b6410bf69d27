#pragma once

#include <memory>
#include <string>

#include "crds/api/spec.h"
#include "crds/base/clock.h"
#include "worker/data/type.h"
#include "worker/sink/sink.h"

namespace millrace::worker {

struct SinkOptions {
  std::string job_id;
  std::string secrets_directory;
  SchemaRef schema;           // of the rows: the stream's full schema (hidden fields too)
  bool updating = false;      // rows replace earlier ones with the same `update_key`
  std::vector<std::string> update_key;  // key fields (and windowStart)
  bool interactive = false;   // standard output is a terminal: the console may redraw
  std::string source_stream;  // name of the stream, for file names
  Clock* clock = nullptr;
};

// Type-checks the sink's expressions, fields and format against `schema`; every problem goes to `diagnostics` under `path`.
void CheckSink(const api::Sink& spec, const Schema& schema, bool updating, api::Diagnostics* diagnostics, const std::string& path);
// Top-level fields the sink reads (fields or all visible ones, plus those of its expressions).
std::vector<std::string> SinkUses(const api::Sink& spec, const Schema& schema);
Result<std::unique_ptr<Sink>> MakeSink(const api::Sink& spec, const SinkOptions& options);

}  // namespace millrace::worker
