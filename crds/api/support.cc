#include "crds/api/support.h"

namespace millrace::api {
namespace {

// Adds one refusal for each part that is found.
class Refusals {
 public:
  explicit Refusals(Diagnostics* out) : out_(out) {}

  void Add(bool found, const std::string& path, const std::string& what,
           const std::string& instead = "") {
    if (!found) return;
    AddError(out_, path, what + " not supported yet" + (instead.empty() ? "" : "; " + instead));
  }

  void AddFormat(const std::optional<Format>& format, const std::string& path) {
    if (!format) return;
    Add(std::holds_alternative<AvroFormat>(*format), path + ".format.avro", "the format avro is",
        "use json or csv");
    Add(std::holds_alternative<ProtobufFormat>(*format), path + ".format.protobuf",
        "the format protobuf is", "use json or csv");
  }

 private:
  Diagnostics* out_;
};

std::string At(const char* list, size_t index) {
  return "spec." + std::string(list) + "[" + std::to_string(index) + "]";
}

void RefuseTables(const StreamingJob& job, Refusals* refusals) {
  for (size_t i = 0; i < job.spec.tables.size(); ++i) {
    const Table& table = job.spec.tables[i];
    const std::string path = At("tables", i);
    const std::string use = "use file, http, redis, kafka or stream";
    refusals->Add(std::holds_alternative<SqlTable>(table.kind), path + ".sql",
                  "tables from sql are", use);
    refusals->Add(table.distribution == Table::Distribution::kPartitioned, path + ".distribution",
                  "Partitioned is", "use Broadcast");
    refusals->AddFormat(table.format, path);
  }
}

void RefuseSinks(const StreamingJob& job, Refusals* refusals) {
  for (size_t i = 0; i < job.spec.sinks.size(); ++i) {
    const Sink& sink = job.spec.sinks[i];
    const std::string path = At("sinks", i);
    const std::string use = "use console, file, http, kafka or redis, or run with --sink console";
    refusals->Add(std::holds_alternative<SqlSink>(sink.kind), path + ".sql", "the sink sql is",
                  use);
    refusals->Add(std::holds_alternative<ElasticsearchSink>(sink.kind), path + ".elasticsearch",
                  "the sink elasticsearch is", use);
    refusals->AddFormat(sink.format, path);
  }
}

}  // namespace

void RefuseUnsupported(const StreamingJob& job, Diagnostics* out) {
  Refusals refusals(out);
  for (size_t i = 0; i < job.spec.sources.size(); ++i) {
    const Source& source = job.spec.sources[i];
    refusals.AddFormat(source.format, At("sources", i));
  }
  RefuseTables(job, &refusals);
  refusals.Add(!job.spec.models.empty(), "spec.models", "models are");
  RefuseSinks(job, &refusals);
  refusals.Add(job.spec.reset.has_value(), "spec.reset", "reset is");
}

}  // namespace millrace::api
