#include "worker/coordination/state_shape.h"

#include <set>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

std::set<std::string> Lines(const std::string& text) {
  std::set<std::string> lines;
  for (const std::string_view line : Split(text, '\n')) {
    if (!line.empty()) lines.emplace(line);
  }
  return lines;
}

}  // namespace

ShapeChange CompareShapes(const std::string& before, const std::string& now) {
  const std::set<std::string> lines = Lines(now);
  ShapeChange change;
  for (const std::string& line : Lines(before))
    (lines.contains(line) ? change.kept : change.lost).push_back(line.substr(0, line.find('\t')));
  return change;
}

std::string LossText(const ShapeChange& change) {
  return "this edit would drop the state of " + Join(change.lost, ", ") +
         ": its name, key, window or state types changed. Undo the edit, or set "
         "upgrade.allowStateLoss: true";
}

}  // namespace millrace::worker
