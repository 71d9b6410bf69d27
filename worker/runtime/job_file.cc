#include "worker/runtime/job_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "crds/api/findings.h"
#include "crds/api/support.h"
#include "crds/base/file.h"
#include "worker/runtime/exit_code.h"

namespace millrace::worker {
namespace {

constexpr size_t kMaxJobFileBytes = 1 << 20;

Result<std::string> ReadJobText(const std::string& path) {
  if (path == "-") return ReadFile("/dev/stdin", kMaxJobFileBytes);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return ErrnoError("job file " + path, errno);
  if (S_ISDIR(info.st_mode))
    return InvalidError("job file " + path + " is a directory; name a YAML or JSON file in it");
  if (!S_ISREG(info.st_mode) && !S_ISFIFO(info.st_mode))
    return InvalidError("job file " + path + " is not a regular file");
  if (info.st_size > static_cast<off_t>(kMaxJobFileBytes)) {
    return InvalidError("job file " + path + " has " + std::to_string(info.st_size) +
                        " bytes; the limit is 1 MiB");
  }
  Result<std::string> text = ReadFile(path, kMaxJobFileBytes);
  if (text.ok() && text->find('\0') != std::string::npos)
    return InvalidError("job file " + path + " is binary, not YAML or JSON");
  return text;
}

std::vector<std::string> RenderAll(const api::Diagnostics& diagnostics, const std::string& file,
                                   const api::SourceMap& positions, bool warnings) {
  std::vector<std::string> lines;
  for (const api::Diagnostic& diagnostic : diagnostics) {
    if (diagnostic.warning == warnings) lines.push_back(api::Render(diagnostic, file, positions));
  }
  return lines;
}

bool Fail(JobFileError* error, int exit_code, std::vector<std::string> lines) {
  error->exit_code = exit_code;
  error->lines = std::move(lines);
  return false;
}

}  // namespace

void UseConsoleSinks(api::StreamingJobSpec* spec) {
  for (api::Sink& sink : spec->sinks) {
    if (std::holds_alternative<api::ConsoleSink>(sink.kind)) continue;
    sink.kind = api::ConsoleSink{};
    sink.format.reset();
    sink.delivery.reset();
  }
}

bool LoadJobFile(const JobFileRequest& request, JobFile* file, JobFileError* error) {
  const Result<std::string> text = ReadJobText(request.path);
  if (!text.ok()) return Fail(error, kExitUsage, {text.status().message()});
  const std::string name = request.path == "-" ? "stdin" : request.path;
  api::JobDocument document = api::ParseJob(*text, request.overrides);
  file->job = std::make_unique<api::StreamingJob>(std::move(document.job));
  if (!request.sink_override.empty()) UseConsoleSinks(&file->job->spec);
  if (document.readable) {
    api::Diagnostics unsupported;
    api::RefuseUnsupported(*file->job, &unsupported);
    api::AddFindings(std::move(unsupported), document.shape_errors, &document.diagnostics);
    Result<JobPlan> plan = BuildPlan(*file->job, &document.diagnostics, document.shape_errors);
    if (!plan.ok() && !api::HasErrors(document.diagnostics))
      return Fail(error, kExitUsage, {name + ": " + plan.status().message()});
    if (plan.ok()) file->plan = *std::move(plan);
    api::SortByPlace(document.positions, &document.diagnostics);
  }
  if (request.to_run && file->job->spec.suspend) {
    api::AddError(&document.diagnostics, "spec.suspend",
                  "the job is suspended, so it does not run; set this to false, or pass --set "
                  "spec.suspend=false");
    api::SortByPlace(document.positions, &document.diagnostics);
  }
  file->warnings = RenderAll(document.diagnostics, name, document.positions, true);
  if (!api::HasErrors(document.diagnostics)) return true;
  return Fail(error, kExitUsage, RenderAll(document.diagnostics, name, document.positions, false));
}

}  // namespace millrace::worker
