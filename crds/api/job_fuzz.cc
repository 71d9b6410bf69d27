#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "crds/api/codec.h"

// Any bytes give a job or errors, each with a message; a job that is accepted reads back from its
// own JSON.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millrace::api;
  const JobDocument document =
      ParseJob(std::string_view(reinterpret_cast<const char*>(data), size));
  for (const Diagnostic& diagnostic : document.diagnostics) {
    if (Render(diagnostic, "job.yaml", document.positions).empty() || diagnostic.message.empty())
      std::abort();
  }
  if (HasErrors(document.diagnostics)) return 0;
  const std::string json = ToJson(document.job);
  const JobDocument again = ParseJob(json);
  if (HasErrors(again.diagnostics) || ToJson(again.job) != json) std::abort();
  return 0;
}
