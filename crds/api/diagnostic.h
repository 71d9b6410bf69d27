#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::api {

// Where a value stands in the manifest. Line and column count from 1; 0 means unknown (JSON from
// the API server).
struct Position {
  int line = 0;
  int column = 0;
  // Characters of a plain or quoted one-line scalar map one to one onto columns, so that an offset
  // inside an expression can be added; block and folded scalars keep the scalar's own position.
  bool offsets_map = false;
};

// Field path ("spec.streams[0].steps[1].filter") -> position of its value. Map keys stand in the
// path as .key.
using SourceMap = std::map<std::string, Position, std::less<>>;

// One finding about a manifest: what was found and what was expected, at a field path.
struct Diagnostic {
  std::string path;
  std::string message;
  int offset = -1;  // byte offset inside the value (expressions), -1 for the value itself
  bool warning = false;
};
using Diagnostics = std::vector<Diagnostic>;

// Adds an error to `out`.
void AddError(Diagnostics* out, std::string path, std::string message, int offset = -1);

// "job.yaml:14:19: spec.x: message". Uses the nearest enclosing path that `positions` knows.
std::string Render(const Diagnostic& diagnostic, std::string_view file, const SourceMap& positions);
bool HasErrors(const Diagnostics& diagnostics);

}  // namespace millrace::api
