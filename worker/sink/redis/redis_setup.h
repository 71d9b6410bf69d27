#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"
#include "crds/base/status.h"
#include "worker/data/type.h"
#include "worker/sink/factory.h"
#include "worker/sink/sink.h"

namespace millrace::worker {

// The parts of CheckSink, SinkUses and MakeSink for Redis; see worker/sink/factory.h.
void CheckRedisSink(const api::RedisSink& redis, const api::Sink& spec, const Schema& schema,
                    bool updating, api::Diagnostics* diagnostics, const std::string& path);
std::vector<std::string> RedisSinkUses(const api::RedisSink& redis, const Schema& schema);
Result<std::unique_ptr<Sink>> MakeRedisSink(const api::RedisSink& redis, const api::Sink& spec,
                                            const SinkOptions& options);

// The hash tag that every key begins with, where the expression begins with a plain text literal
// that holds one: '{orders}:' + id. A guess from the text; the keys themselves are checked later.
std::optional<std::string> HashTagOf(std::string_view key_expr);

}  // namespace millrace::worker
