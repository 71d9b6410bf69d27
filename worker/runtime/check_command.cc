#include <cstdio>

#include "crds/base/json_writer.h"
#include "worker/runtime/commands.h"
#include "worker/runtime/exit_code.h"

namespace millrace::worker {
namespace {

int PrintErrors(const JobFileError& error) {
  for (const std::string& line : error.lines) std::fprintf(stderr, "%s\n", line.c_str());
  return error.exit_code;
}

void PrintWarnings(const JobFile& file) {
  for (const std::string& line : file.warnings) std::fprintf(stderr, "%s\n", line.c_str());
}

std::string SchemasAsJson(const JobPlan& plan) {
  JsonWriter out;
  out.BeginObject();
  for (const PlanStream& stream : plan.streams) {
    out.Key(stream.name);
    out.BeginObject();
    out.Key("kind");
    out.String(stream.kind);
    out.Key("updating");
    out.Bool(stream.updating);
    out.Key("fields");
    out.BeginObject();
    for (const Field& field : stream.schema.fields()) {
      if (Schema::IsHidden(field.name)) continue;
      out.Key(field.name);
      out.String(field.type.ToString());
    }
    out.EndObject();
    out.EndObject();
  }
  out.EndObject();
  return out.Take();
}

void PrintSchemas(const std::string& job, const JobPlan& plan) {
  std::printf("job \"%s\" is valid\n", job.c_str());
  for (const PlanStream& stream : plan.streams) {
    std::printf("%s %s%s\n", stream.kind.c_str(), stream.name.c_str(),
                stream.updating ? " (updating)" : "");
    for (const Field& field : stream.schema.fields()) {
      if (!Schema::IsHidden(field.name))
        std::printf("  %-24s %s\n", field.name.c_str(), field.type.ToString().c_str());
    }
  }
}

}  // namespace

int CheckCommand(const JobFileRequest& request, bool json) {
  JobFile file;
  JobFileError error;
  if (!LoadJobFile(request, &file, &error)) return PrintErrors(error);
  PrintWarnings(file);
  if (json)
    std::printf("%s\n", SchemasAsJson(file.plan).c_str());
  else
    PrintSchemas(file.job->metadata.name, file.plan);
  return kExitOk;
}

int ExplainCommand(const JobFileRequest& request, ExplainFormat format) {
  JobFile file;
  JobFileError error;
  if (!LoadJobFile(request, &file, &error)) return PrintErrors(error);
  PrintWarnings(file);
  std::fputs(Explain(*file.job, file.plan, format).c_str(), stdout);
  return kExitOk;
}

}  // namespace millrace::worker
