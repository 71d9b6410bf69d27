#pragma once

#include <memory>
#include <string>
#include <vector>

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"
#include "crds/base/status.h"
#include "worker/data/type.h"
#include "worker/sink/factory.h"
#include "worker/sink/sink.h"

namespace millrace::worker {

// The parts of CheckSink, SinkUses and MakeSink for Kafka; see worker/sink/factory.h.
void CheckKafkaSink(const api::KafkaSink& kafka, const Schema& schema, bool updating,
                    api::Diagnostics* diagnostics, const std::string& path);
std::vector<std::string> KafkaSinkUses(const api::KafkaSink& kafka, const Schema& schema);
Result<std::unique_ptr<Sink>> MakeKafkaSink(const api::KafkaSink& kafka, const api::Sink& spec,
                                            const SinkOptions& options);

}  // namespace millrace::worker
