#include "crds/api/findings.h"

#include <algorithm>
#include <utility>

namespace millrace::api {
namespace {

// The position of the value at `path`, or of the nearest one around it.
Position PlaceOf(std::string_view path, const SourceMap& positions) {
  while (true) {
    const auto found = positions.find(path);
    if (found != positions.end()) return found->second;
    const size_t cut = path.find_last_of(".[");
    if (cut == std::string_view::npos) return {};
    path = path.substr(0, cut);
  }
}

// A rule between fields says nothing new where one of those fields could not be read.
bool FollowsFrom(const Diagnostic& found, const Diagnostic& error) {
  const bool related = IsWithin(found.path, error.path) || IsWithin(error.path, found.path);
  return related && std::min(found.path, error.path).find('[') != std::string::npos;
}

bool IsKnown(const Diagnostic& found, const Diagnostic& error) {
  if (error.warning != found.warning) return found.warning && found.path == error.path;
  return found.path == error.path && (!found.warning || found.message == error.message);
}

}  // namespace

bool IsWithin(std::string_view path, std::string_view outer) {
  return path.starts_with(outer) &&
         (path.size() == outer.size() || path[outer.size()] == '.' || path[outer.size()] == '[');
}

void AddFindings(Diagnostics found, const Diagnostics& shape_errors, Diagnostics* out) {
  const auto known = static_cast<std::ptrdiff_t>(out->size());
  for (Diagnostic& finding : found) {
    const bool follows =
        std::any_of(shape_errors.begin(), shape_errors.end(),
                    [&](const Diagnostic& error) { return FollowsFrom(finding, error); });
    const bool again =
        std::any_of(out->begin(), out->begin() + known,
                    [&](const Diagnostic& error) { return IsKnown(finding, error); });
    if (!follows && !again) out->push_back(std::move(finding));
  }
}

void SortByPlace(const SourceMap& positions, Diagnostics* diagnostics) {
  std::stable_sort(diagnostics->begin(), diagnostics->end(),
                   [&](const Diagnostic& a, const Diagnostic& b) {
                     const Position left = PlaceOf(a.path, positions);
                     const Position right = PlaceOf(b.path, positions);
                     return std::pair(left.line, left.column) < std::pair(right.line, right.column);
                   });
}

}  // namespace millrace::api
