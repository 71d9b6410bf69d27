#include "worker/runtime/job_runner.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "crds/base/text.h"
#include "worker/sink/factory.h"
#include "worker/sink/null_sink.h"
#include "worker/source/factory.h"

namespace millrace::worker {
namespace {

// The state directory of this run, empty for memory.
Result<std::string> StateDirectory(const api::StreamingJob& job, const std::string& flag) {
  if (flag == "memory") return std::string();
  if (!flag.empty()) return flag;
  if (!job.spec.state) return std::string();
  if (const auto* directory = std::get_if<api::DirectoryState>(&job.spec.state->kind))
    return directory->path;
  if (std::holds_alternative<api::MemoryState>(job.spec.state->kind)) return std::string();
  return InvalidError(
      "spec.state.redis: not supported yet by `millrace run`; pass --state memory or --state DIR");
}

std::unique_ptr<Coordinator> MakeCoordinator(const api::StreamingJob& job,
                                             const std::string& directory) {
  if (!directory.empty()) return MakeDirectoryCoordinator(directory);
  const bool named = job.spec.state && job.spec.state->id;
  return MakeMemoryCoordinator(named ? *job.spec.state->id : RandomHex(8));
}

Status MakeSources(const PartsRequest& request, const std::stop_token& stop, JobParts* parts) {
  for (size_t i = 0; i < parts->job->spec.sources.size(); ++i) {
    parts->sources.emplace_back();
    InputStage* input = parts->plan.inputs[i];
    if (input == nullptr) continue;
    SourceOptions source_options;
    source_options.job_id = request.job_id;
    source_options.state_directory =
        request.state_directory.empty() ? "" : request.state_directory + "/push";
    source_options.secrets_directory = request.secrets_directory;
    source_options.wanted = parts->plan.wanted[i];
    source_options.group_id =
        "millrace." + parts->job->metadata.ns + "." + parts->job->metadata.name;
    source_options.batch_interval = parts->job->spec.batch_interval;
    source_options.stop = stop;
    source_options.clock = parts->clock;
    Result<std::unique_ptr<Source>> source =
        MakeSource(parts->job->spec.sources[i], source_options);
    if (!source.ok())
      return source.status().WithContext("source \"" + parts->job->spec.sources[i].name + "\"");
    parts->sources.back() = *std::move(source);
    input->Bind(parts->sources.back().get());
  }
  return OkStatus();
}

Status MakeSinks(const PartsRequest& request, const std::stop_token& stop, JobParts* parts) {
  parts->sinks.resize(parts->job->spec.sinks.size());
  for (const PlanEnd& end : parts->plan.ends) {
    if (end.kind != PlanEnd::Kind::kSink) continue;
    if (request.sink_override == "none") {
      parts->sinks[end.index] = std::make_unique<NullSink>();
      continue;
    }
    const api::Sink& spec = parts->job->spec.sinks[end.index];
    SinkOptions sink_options;
    sink_options.job_id = request.job_id;
    sink_options.secrets_directory = request.secrets_directory;
    sink_options.schema = end.schema;
    sink_options.updating = end.updating;
    sink_options.update_key = end.update_key;
    sink_options.durable = request.durable;
    sink_options.interactive = request.screen != nullptr && request.screen->live();
    sink_options.source_stream = end.stream;
    sink_options.clock = parts->clock;
    sink_options.screen = request.screen;
    sink_options.stop = stop;
    Result<std::unique_ptr<Sink>> sink = MakeSink(spec, sink_options);
    if (!sink.ok()) return sink.status().WithContext("sink \"" + spec.name + "\"");
    parts->sinks[end.index] = *std::move(sink);
  }
  return OkStatus();
}

}  // namespace

Result<JobParts> BuildParts(JobFile file, const RunOptions& options, Clock* clock,
                            std::shared_ptr<Screen> screen, std::stop_token stop) {
  JobParts parts;
  parts.clock = clock;
  parts.job = std::move(file.job);
  parts.plan = std::move(file.plan);
  ASSIGN_OR_RETURN(const std::string directory, StateDirectory(*parts.job, options.state));
  parts.coordinator = MakeCoordinator(*parts.job, directory);
  ASSIGN_OR_RETURN(parts.record, parts.coordinator->Open());
  const PartsRequest request{
      parts.record.job_id, directory,       options.secrets_directory, options.file.sink_override,
      !directory.empty(),  options.threads, std::move(screen)};
  RETURN_IF_ERROR(AddParts(request, stop, &parts));
  return parts;
}

Status AddParts(const PartsRequest& request, std::stop_token stop, JobParts* parts) {
  RETURN_IF_ERROR(MakeSources(request, stop, parts));
  RETURN_IF_ERROR(MakeSinks(request, stop, parts));
  parts->tables = std::make_unique<TableKeeper>(
      *parts->job, parts->plan, TableLoaderOptions{request.secrets_directory, parts->clock, stop});
  const int cores = std::max(1u, std::thread::hardware_concurrency());
  parts->pool = std::make_unique<ThreadPool>(request.threads > 0 ? request.threads : cores);
  return OkStatus();
}

}  // namespace millrace::worker
