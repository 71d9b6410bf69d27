#pragma once

#include <string>
#include <vector>

namespace millrace::worker {

// Which stages keep their state when one spec follows another, by the shapes of their plans
// (JobPlan::shape: a line for each stateful step, "<stage>\t<key, window and types>").
struct ShapeChange {
  std::vector<std::string> kept;  // stages whose line is as it was
  std::vector<std::string> lost;  // stages of the former spec that have another line, or none
};
// Pure; O(n log n) lines.
ShapeChange CompareShapes(const std::string& before, const std::string& now);
// What a user is told of an edit that loses state. Requires: something is lost.
std::string LossText(const ShapeChange& change);

}  // namespace millrace::worker
