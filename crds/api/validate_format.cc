#include "crds/api/validate_format.h"

#include <re2/re2.h>

#include <algorithm>
#include <map>

#include "crds/api/field_reader.h"
#include "crds/base/text.h"

namespace millrace::api {

void CheckWriteFormat(const Format& format, const std::string& path, Diagnostics* out) {
  if (std::holds_alternative<RegexFormat>(format)) {
    AddError(out, path + ".regex",
             "a regular expression reads lines, it cannot write them; use text, json or csv");
  }
  if (const auto* csv = std::get_if<CsvFormat>(&format); csv != nullptr && csv->schema) {
    AddError(out, path + ".csv.schema", "the types are those of the records; remove it");
  }
  if (const auto* json = std::get_if<JsonFormat>(&format)) {
    if (json->schema)
      AddError(out, path + ".json.schema", "the types are those of the records; remove it");
    CheckNames(*json, path + ".json", out);
  }
}

void CheckColumns(const CsvFormat& format, const std::string& path, Diagnostics* out) {
  if (!format.columns) return;
  std::vector<std::string> fields;
  for (const auto& entry : *format.schema) fields.push_back(entry.first);
  for (const std::string& field : fields) {
    if (std::find(format.columns->begin(), format.columns->end(), field) != format.columns->end())
      continue;
    AddError(out, path + ".columns",
             "the field \"" + field + "\" of the schema is not among the columns");
  }
}

void CheckNames(const JsonFormat& format, const std::string& path, Diagnostics* out) {
  std::map<std::string, std::string> seen;
  std::vector<std::string> fields;
  if (format.schema) {
    for (const auto& entry : *format.schema) fields.push_back(entry.first);
  }
  for (const auto& [field, name] : format.names) {
    const auto [first, added] = seen.emplace(name, field);
    if (!added)
      AddError(out, path + ".names." + field,
               "the name \"" + Excerpt(name) + "\" is given to " + first->second + " too");
    if (format.schema && !format.schema->contains(field)) {
      AddError(out, path + ".names." + field,
               "no field \"" + field + "\" in the schema" + SuggestName(field, fields));
    }
  }
}

void CheckGroups(const RegexFormat& format, const std::string& path, Diagnostics* out) {
  RE2::Options options;
  options.set_log_errors(false);
  const RE2 regex(format.pattern, options);
  if (!regex.ok() || format.schema.empty()) return;
  const std::map<std::string, int>& groups = regex.NamedCapturingGroups();
  std::vector<std::string> names;
  for (const auto& group : groups) names.push_back(group.first);
  for (const auto& entry : format.schema) {
    if (groups.contains(entry.first)) continue;
    AddError(out, path + ".schema." + entry.first,
             "the pattern has no group \"" + entry.first + "\"" + SuggestName(entry.first, names));
  }
  for (const std::string& name : names) {
    if (format.schema.contains(name)) continue;
    AddError(out, path + ".schema", "has no type for the group \"" + name + "\" of the pattern");
  }
}

}  // namespace millrace::api
