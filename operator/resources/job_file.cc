#include "operator/resources/job_file.h"

#include "crds/api/codec.h"
#include "operator/resources/names.h"

namespace millrace::controller {
namespace {

void MakePath(api::FileRef* ref) {
  if (!ref->config_map_key_ref) return;
  ref->path = std::string(kConfigFolder) + "/" + ref->config_map_key_ref->name + "/" +
              ref->config_map_key_ref->key;
  ref->config_map_key_ref.reset();
}

void MakePaths(std::optional<api::Format>* format) {
  if (!*format) return;
  if (auto* avro = std::get_if<api::AvroFormat>(&**format); avro != nullptr && avro->definition)
    MakePath(&*avro->definition);
  if (auto* proto = std::get_if<api::ProtobufFormat>(&**format); proto && proto->definition)
    MakePath(&*proto->definition);
}

void MakePaths(api::StreamingJobSpec* spec) {
  for (api::Source& source : spec->sources) MakePaths(&source.format);
  for (api::Sink& sink : spec->sinks) MakePaths(&sink.format);
  for (api::Table& table : spec->tables) {
    MakePaths(&table.format);
    if (auto* file = std::get_if<api::FileTable>(&table.kind)) MakePath(&file->ref);
  }
  for (api::Model& model : spec->models) {
    if (auto* json = std::get_if<api::JsonModel>(&model.kind)) MakePath(&json->ref);
    if (auto* onnx = std::get_if<api::OnnxModel>(&model.kind)) MakePath(&onnx->ref);
  }
}

// What workers do not read; the table of edit classes says the same.
void DropOperatorFields(api::StreamingJobSpec* spec) {
  const api::StreamingJobSpec defaults;
  spec->workers = defaults.workers;
  spec->autoscaling = defaults.autoscaling;
  spec->suspend = defaults.suspend;
  spec->deletion = defaults.deletion;
  spec->ttl_after_finished = defaults.ttl_after_finished;
  spec->image = defaults.image;
  spec->image_pull_policy = defaults.image_pull_policy;
  spec->image_pull_secrets = defaults.image_pull_secrets;
  spec->resources = defaults.resources;
  spec->pod = defaults.pod;
  spec->disruption_budget_max_unavailable = defaults.disruption_budget_max_unavailable;
}

api::StreamingJob FileOf(const api::StreamingJob& job) {
  api::StreamingJob file;
  file.metadata.name = job.metadata.name;
  file.metadata.ns = job.metadata.ns;
  file.metadata.uid = job.metadata.uid;
  file.metadata.generation = job.metadata.generation;
  file.spec = job.spec;
  DropOperatorFields(&file.spec);
  MakePaths(&file.spec);
  return file;
}

}  // namespace

std::string JobFile(const api::StreamingJob& job) { return api::ToJson(FileOf(job)); }

}  // namespace millrace::controller
