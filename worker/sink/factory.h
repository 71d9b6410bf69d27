#pragma once

#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"
#include "crds/base/clock.h"
#include "worker/data/type.h"
#include "worker/sink/console/screen.h"
#include "worker/sink/sink.h"

namespace millrace::worker {

struct SinkOptions {
  std::string job_id;
  std::string secrets_directory;
  SchemaRef schema;                     // of the rows: the stream's schema (hidden fields too)
  bool updating = false;                // rows replace earlier ones with the same `update_key`
  std::vector<std::string> update_key;  // key fields (and windowStart)
  bool durable = true;                  // the job's state outlives the process
  bool interactive = false;             // standard output is a terminal: the console may redraw
  std::string source_stream;            // name of the stream, for file names
  Clock* clock = nullptr;               // outlives the sink
  std::shared_ptr<Screen> screen;  // shared with the status line; none: the console makes its own
  std::stop_token stop;            // ends waits between attempts to deliver
};

// Type-checks the sink's expressions, fields and format against `schema`; every problem goes to
// `diagnostics` under `path`.
void CheckSink(const api::Sink& spec, const Schema& schema, bool updating,
               api::Diagnostics* diagnostics, const std::string& path);
// Top-level fields the sink reads (fields or all visible ones, plus those of its expressions).
std::vector<std::string> SinkUses(const api::Sink& spec, const Schema& schema);
// kInvalid for kinds that are not supported, secrets that cannot be used and whatever CheckSink
// would find. Does not connect.
Result<std::unique_ptr<Sink>> MakeSink(const api::Sink& spec, const SinkOptions& options);

}  // namespace millrace::worker
