#include "worker/plan/damage.h"

#include <algorithm>
#include <array>

#include "crds/api/findings.h"

namespace millrace::worker {
namespace {

// Members that change neither the names nor the types of what a format reads.
constexpr std::array<std::string_view, 6> kFormatLeaves{
    "timestampFormat", "delimiter", "header", "names", "unknownFields", "omitNull"};
// Members that change neither the names nor the types of what a step reads and gives.
constexpr std::array<std::string_view, 18> kStepLeaves{
    "emit",       "time",       "onLate",    "ties",       "limit",   "within",
    "type",       "fraction",   "seed",      "partitions", "orderBy", "latestBy",
    "deleteWhen", "removeWhen", "orderExpr", "timeout",    "initial", "match"};

template <typename Names>
bool Contains(const Names& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

// "a" of "a.b" and "a[0]".
std::string_view First(std::string_view path) { return path.substr(0, path.find_first_of(".[")); }

// What follows `prefix` and a dot; empty when the path does not begin so, or a member of that is
// meant.
std::string_view NameBelow(std::string_view path, std::string_view prefix) {
  if (!path.starts_with(prefix) || path.size() <= prefix.size() || path[prefix.size()] != '.')
    return {};
  const std::string_view name = path.substr(prefix.size() + 1);
  return First(name) == name ? name : std::string_view();
}

// "tumbling.length" of "window.tumbling.length": the kind of window was read, one of its numbers
// was not.
bool IsInsideWindow(std::string_view path) {
  return path.starts_with("window.") &&
         path.find('.', std::string_view("window.").size()) != std::string_view::npos;
}

// Where a step's own names stand, below the step's kind.
std::string_view OutputsOf(const api::StepKind& kind) {
  if (std::holds_alternative<api::AggregateStep>(kind)) return "values";
  if (std::holds_alternative<api::StateStep>(kind)) return "output.fields";
  return "";
}

bool GivesNamedFields(const api::StepKind& kind) {
  return std::holds_alternative<api::MapStep>(kind) || std::holds_alternative<api::SetStep>(kind) ||
         std::holds_alternative<api::FlatMapStep>(kind);
}

}  // namespace

std::vector<std::string_view> Damage::Below(const std::string& path) const {
  std::vector<std::string_view> below;
  for (const api::Diagnostic& error : errors_) {
    if (!api::IsWithin(error.path, path)) continue;
    const std::string_view rest = std::string_view(error.path).substr(path.size());
    below.push_back(rest.starts_with('.') ? rest.substr(1) : rest);
  }
  return below;
}

bool Damage::Touches(const std::string& path) const {
  return std::any_of(errors_.begin(), errors_.end(),
                     [&](const api::Diagnostic& error) { return api::IsWithin(error.path, path); });
}

// `path`: of the source or table. The schema stands at format.<kind>.schema.
void Damage::AddFormat(const std::string& path, Remains* remains) const {
  for (const std::string_view below : Below(path + ".format")) {
    const std::string_view member = below.substr(std::min(below.find('.'), below.size() - 1) + 1);
    const std::string_view field = NameBelow(member, "schema");
    if (below.empty() || First(below) == below) {
      remains->open = true;
    } else if (!field.empty()) {
      remains->fields.emplace_back(field);
    } else if (!Contains(kFormatLeaves, First(member))) {
      remains->open = true;
    }
  }
}

Remains Damage::OfSource(const api::Source& source, const std::string& path) const {
  Remains remains;
  for (const std::string_view below : Below(path)) remains.open |= below.empty();
  const auto* generated = std::get_if<api::GeneratorSource>(&source.kind);
  if (generated == nullptr) {
    remains.open |= !source.format;
    AddFormat(path, &remains);
    return remains;
  }
  for (const std::string_view below : Below(path + ".generator")) {
    const std::string_view field = NameBelow(below, "fields");
    if (!field.empty()) {
      remains.fields.emplace_back(field);
    } else {
      remains.open |= below.empty() || First(below) == "fields" ||
                      (!generated->preset && generated->fields.empty());
    }
  }
  return remains;
}

Remains Damage::OfTable(const api::Table& table, const std::string& path) const {
  Remains remains;
  const bool file = std::holds_alternative<api::FileTable>(table.kind) ||
                    std::holds_alternative<api::HttpTable>(table.kind) ||
                    std::holds_alternative<api::KafkaTable>(table.kind);
  remains.open = file && !table.format;
  for (const std::string_view below : Below(path))
    remains.open |= below.empty() || First(below) == "key" || below.starts_with("stream");
  for (const char* kind : {"sql", "redis"}) {
    for (const std::string_view below : Below(path + "." + kind)) {
      const std::string_view field = NameBelow(below, "schema");
      if (!field.empty()) remains.fields.emplace_back(field);
      remains.open |= below.empty() || (field.empty() && First(below) == "schema");
    }
  }
  AddFormat(path, &remains);
  return remains;
}

Remains Damage::OfStep(const api::StepKind& kind, const std::string& path) const {
  Remains remains;
  const auto* map = std::get_if<api::MapStep>(&kind);
  const auto* flat_map = std::get_if<api::FlatMapStep>(&kind);
  const bool empty =
      (map != nullptr && map->fields.empty()) || (flat_map != nullptr && flat_map->field.empty());
  const std::string kind_path = path + "." + api::StepKindName(kind);
  bool whole_kind = false;
  for (const std::string_view below : Below(kind_path)) {
    const std::string_view output = GivesNamedFields(kind) ? (First(below) == below ? below : "")
                                                           : NameBelow(below, OutputsOf(kind));
    if (below.empty())
      whole_kind = true;
    else if (!output.empty())
      remains.fields.emplace_back(output);
    else if (!Contains(kStepLeaves, First(below)) && !IsInsideWindow(below))
      remains.open = true;
  }
  const bool condition = std::holds_alternative<api::FilterStep>(kind);
  remains.unreadable = (whole_kind && !condition) || empty;
  remains.open |= remains.unreadable && remains.fields.empty();
  return remains;
}

}  // namespace millrace::worker
