#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"
#include "crds/base/clock.h"
#include "worker/source/source.h"

namespace millrace::worker {

struct SourceOptions {
  std::string job_id;
  std::string state_directory;  // for push logs; empty: received records are kept in memory only
  std::string secrets_directory;
  std::string group_id;  // consumer group that shows progress, when the source names none
  Duration batch_interval = std::chrono::seconds(1);
  std::stop_token stop;  // ends waits at start and in reads
  SchemaRef wanted;  // fields the plan reads (generator fills exactly these); hidden ones included
  Clock* clock = nullptr;  // outlives the source
};

// The schema of records that a source yields before pruning, hidden fields (__path, __line, ...) at
// the end. `format` as declared.
Result<Schema> SourceSchema(const api::Source& source, api::Diagnostics* diagnostics,
                            const std::string& path);

// Partitions of a file source: paths are spread over this many lanes by hash.
inline constexpr int kFileLanes = 8;
// Number of partitions (units) that a source of this spec has before it starts; 0 for those that
// find them.
inline int PartitionsOf(const api::Source& source) {
  if (const auto* generator = std::get_if<api::GeneratorSource>(&source.kind))
    return generator->partitions;
  if (std::holds_alternative<api::KafkaSource>(source.kind)) return 0;
  return std::holds_alternative<api::FileSource>(source.kind) ? kFileLanes : 1;
}

// Builds a source from its spec. Requires: the spec passed its checks. kInvalid for kinds this
// build cannot run.
Result<std::unique_ptr<Source>> MakeSource(const api::Source& spec, const SourceOptions& options);

}  // namespace millrace::worker
