#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crds/api/diagnostic.h"
#include "crds/api/spec.h"

namespace millrace::worker {

// What is left of one source, table or step after the errors that were found when the manifest was
// read.
struct Remains {
  bool unreadable = false;          // not even its kind, or its one expression, is known
  bool open = false;                // its records have fields that could not be read
  std::vector<std::string> fields;  // fields it gives whose expression or type could not be read
};

// Tells which parts of a manifest can be checked further in spite of the errors that were found in
// its shape, so that one mistake never shows up as two. Refers to the diagnostics it is given.
// Pure; thread-compatible.
class Damage {
 public:
  explicit Damage(const api::Diagnostics& shape_errors) : errors_(shape_errors) {}

  Remains OfSource(const api::Source& source, const std::string& path) const;
  Remains OfTable(const api::Table& table, const std::string& path) const;
  // `path`: of the step, "spec.streams[0].steps[1]".
  Remains OfStep(const api::StepKind& kind, const std::string& path) const;

  // True when something at or below `path` could not be read.
  bool Touches(const std::string& path) const;

 private:
  // Paths of errors below `path`, without `path` itself and the dot; "" for an error of the value
  // as a whole.
  std::vector<std::string_view> Below(const std::string& path) const;
  void AddFormat(const std::string& path, Remains* remains) const;

  const api::Diagnostics& errors_;
};

}  // namespace millrace::worker
