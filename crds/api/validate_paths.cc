#include <fnmatch.h>

#include <filesystem>
#include <map>

#include "crds/api/validate.h"

// Folders that the files of a job share. Names are compared as they are written: links are not
// followed, and relative names are not made absolute.
namespace millrace::api {
namespace {

// "/a/c" for "/a//b/../c/".
std::string Normal(const std::string& path) {
  std::string normal = std::filesystem::path(path).lexically_normal().string();
  while (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  return normal;
}

bool IsGlob(const std::string& path) { return path.find_first_of("*?[") != std::string::npos; }

// True when the sink's files, which lie in `folder` or, with a pathExpr, below it, are files that
// the source's path names. A source reads the files of a folder, not those below it.
bool Reads(const std::string& watched, const std::string& folder, bool below) {
  if (!IsGlob(watched)) return watched == folder || (below && watched.starts_with(folder + "/"));
  const std::string parent = std::filesystem::path(watched).parent_path().string();
  if (fnmatch(parent.c_str(), folder.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0) return true;
  return below && parent.starts_with(folder + "/");
}

// The names of data files, as far as they are known before the start: a glob that cannot match them
// watches other files of the same folder.
bool MatchesDataFiles(const std::string& watched, const Sink& sink, const FileSink& file) {
  if (!IsGlob(watched)) return true;
  std::string name = sink.from + "-0-0-1-00000000.";
  const Format* format = sink.format ? &*sink.format : nullptr;
  const bool json = format != nullptr && std::holds_alternative<JsonFormat>(*format);
  const bool csv = format != nullptr && std::holds_alternative<CsvFormat>(*format);
  name += json ? "json" : csv ? "csv" : "txt";
  if (file.compression == Compression::kGzip) name += ".gz";
  if (file.compression == Compression::kZstd) name += ".zst";
  const std::string pattern = std::filesystem::path(watched).filename().string();
  return fnmatch(pattern.c_str(), name.c_str(), FNM_PERIOD) == 0;
}

void CheckLoops(const StreamingJob& job, const Sink& sink, const FileSink& file,
                const std::string& path, Diagnostics* out) {
  const std::string folder = Normal(file.path);
  for (const Source& source : job.spec.sources) {
    const auto* watched = std::get_if<FileSource>(&source.kind);
    if (watched == nullptr || watched->path.empty()) continue;
    const std::string pattern = Normal(watched->path);
    if (!Reads(pattern, folder, file.path_expr.has_value())) continue;
    if (!MatchesDataFiles(pattern, sink, file)) continue;
    AddError(out, path,
             "the source \"" + source.name + "\" reads " + watched->path +
                 ", so it would read what this sink writes; use another folder");
  }
}

}  // namespace

void ValidatePaths(const StreamingJob& job, Diagnostics* out) {
  std::map<std::string, std::string> taken;
  for (size_t i = 0; i < job.spec.sinks.size(); ++i) {
    const Sink& sink = job.spec.sinks[i];
    const auto* file = std::get_if<FileSink>(&sink.kind);
    if (file == nullptr || file->path.empty()) continue;
    const std::string path = "spec.sinks[" + std::to_string(i) + "].file.path";
    const auto [first, added] = taken.emplace(Normal(file->path), sink.name);
    if (!added) {
      AddError(out, path,
               "the sink \"" + first->second + "\" writes to this folder, and so does \"" +
                   sink.name + "\"; give each its own");
    }
    CheckLoops(job, sink, *file, path, out);
  }
}

}  // namespace millrace::api
