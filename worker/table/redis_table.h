#pragma once

#include <memory>

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"
#include "worker/data/type.h"
#include "worker/table/table.h"

namespace millrace::worker {

// A loader that reads a whole hash in one moment: its fields are the key, its values the other
// column, or a JSON object of several. Equal content gives the same version. It connects at the
// first Load. Errors of Load: kNotFound for a hash that is not there, kInvalid for a value that
// does not decode (named by its field), for another type, login or too many rows; kUnavailable for
// a Redis that is not there.
Result<std::unique_ptr<TableLoader>> MakeRedisTableLoader(const api::Table& table,
                                                          const api::RedisTable& redis,
                                                          const TableLoaderOptions& options);

// The columns that `redis.schema` declares.
Result<Schema> RedisTableSchema(const api::RedisTable& redis, api::Diagnostics* diagnostics,
                                const std::string& path);

}  // namespace millrace::worker
