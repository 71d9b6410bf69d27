#pragma once

#include <functional>
#include <string>
#include <vector>

#include "operator/resources/build.h"
#include "operator/resources/references.h"

namespace millrace::controller {

// What differs between the pods of workers and that of the cleanup.
struct PodRole {
  Component component = Component::kWorker;
  std::string container;
  std::vector<std::string> arguments;
  std::string restart_policy;
  std::string revision;  // of the job file
  bool serves = false;   // listens on ports and has probes
};

// Writes the members `metadata` and `spec` of a pod template. All pods meet the Restricted level of
// the pod security standards; no field of a job changes that. Pure.
void WritePodTemplate(JsonWriter* out, const api::StreamingJob& job, const BuildOptions& options,
                      const PodRole& role);

// Parts of it, each in its own file.
void WritePodSecurity(JsonWriter* out, int64_t user_id);
void WriteContainerSecurity(JsonWriter* out);
void WriteProbes(JsonWriter* out, const api::StreamingJobSpec& spec);
void WriteVolumes(JsonWriter* out, const api::StreamingJob& job, const References& references,
                  const std::string& revision);
void WriteVolumeMounts(JsonWriter* out, const api::StreamingJobSpec& spec,
                       const References& references);
void WritePlacement(JsonWriter* out, const api::StreamingJob& job);

}  // namespace millrace::controller
