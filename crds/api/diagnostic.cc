#include "crds/api/diagnostic.h"

#include <algorithm>

namespace millrace::api {
namespace {

// `path` without its last member or index; empty at the root.
std::string_view Enclosing(std::string_view path) {
  const size_t cut = path.find_last_of(".[");
  return cut == std::string_view::npos ? std::string_view() : path.substr(0, cut);
}

}  // namespace

void AddError(Diagnostics* out, std::string path, std::string message, int offset) {
  out->push_back({.path = std::move(path), .message = std::move(message), .offset = offset});
}

std::string Render(const Diagnostic& diagnostic, std::string_view file,
                   const SourceMap& positions) {
  std::string_view path = diagnostic.path;
  auto found = positions.find(path);
  while (found == positions.end() && !path.empty()) {
    path = Enclosing(path);
    found = positions.find(path);
  }
  std::string text(file);
  if (found != positions.end() && found->second.line > 0) {
    const bool exact =
        path.size() == diagnostic.path.size() && found->second.offsets_map && diagnostic.offset > 0;
    text += ":" + std::to_string(found->second.line) + ":" +
            std::to_string(found->second.column + (exact ? diagnostic.offset : 0));
  }
  text += diagnostic.warning ? ": warning: " : ": ";
  if (!diagnostic.path.empty()) text += diagnostic.path + ": ";
  return text + diagnostic.message;
}

bool HasErrors(const Diagnostics& diagnostics) {
  return std::any_of(diagnostics.begin(), diagnostics.end(),
                     [](const Diagnostic& diagnostic) { return !diagnostic.warning; });
}

}  // namespace millrace::api
