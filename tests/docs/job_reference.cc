// Prints docs/job-reference.md: one table an object of the job, from the descriptions that read and
// write it.
#include <cstdio>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "crds/api/field_docs.h"

namespace {

using millrace::api::FieldDoc;

constexpr std::string_view kPreamble = R"(# Job reference

Every field of a `StreamingJob` (`streaming.millrace.io/v1alpha1`). This page is printed from the descriptions that the program
itself reads jobs with; `tests/docs` fails when the two differ.

- A path shows where a field stands; `[]` is an element of a list, `<name>` an entry of a map.
- "one of its members" is an object with exactly one member, named after the choice: `format: {text: {}}`.
- Durations are written `500ms`, `1m30s`, `24h`; sizes `64Mi`; types as in [Expressions](expressions.md).
- Fields named `...When`, `...Expr` and `...Exprs`, and those of type expression, are CEL.
- `sql`, `elasticsearch`, `avro`, `protobuf`, `spec.models` and `spec.reset` are part of the contract, but this version refuses
  them with "not supported yet".

How the parts work together: [Semantics](semantics.md). Jobs that run: [Examples](examples.md).
)";

std::string ParentOf(const std::string& path) {
  const size_t dot = path.rfind('.');
  return dot == std::string::npos ? "" : path.substr(0, dot);
}

std::string Cell(std::string_view text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|' || c == '<') cell += '\\';
    cell += c;
  }
  return cell;
}

std::string Code(std::string_view text) {
  if (text.empty()) return "";
  std::string escaped;
  for (const char c : text) {
    if (c == '|') escaped += '\\';
    escaped += c;
  }
  return "`" + escaped + "`";
}

// "spec.sources[]" holds the fields of "spec.sources".
std::string OwnerOf(std::string path) {
  if (path.ends_with("[]")) path.resize(path.size() - 2);
  if (path.ends_with(".<name>")) path.resize(path.size() - 7);
  return path;
}

std::string NameOf(const std::string& path) { return path.substr(path.rfind('.') + 1); }

// The fields of one object.
struct Section {
  std::string path;
  std::vector<const FieldDoc*> fields;
};

std::vector<Section> Sections() {
  std::vector<Section> sections;
  std::map<std::string, size_t> index;
  for (const FieldDoc& field : millrace::api::FieldDocs()) {
    const std::string parent = ParentOf(field.path);
    const auto [at, fresh] = index.try_emplace(parent, sections.size());
    if (fresh) sections.push_back({parent, {}});
    sections[at->second].fields.push_back(&field);
  }
  return sections;
}

// What a reader sees of the fields, to find objects that stand in several places.
std::string Contents(const Section& section) {
  std::string text = NameOf(section.path);
  for (const FieldDoc* field : section.fields) {
    text += "\n" + NameOf(field->path) + "|" + field->type + "|" + field->default_text + "|" +
            field->meaning;
  }
  return text;
}

std::string Row(const FieldDoc& field, const std::string& same_as) {
  const std::string value = field.required ? "**required**" : Code(field.default_text);
  const std::string meaning =
      Cell(field.meaning) + (same_as.empty() ? "" : " Fields as in " + Code(same_as) + ".");
  return "| `" + NameOf(field.path) + "` | " + Cell(field.type) + " | " + value + " | " + meaning +
         " | " + Code(field.example) + " |\n";
}

// Prints each section once; an object that stands elsewhere too is described at its first place.
std::string Print(const std::vector<Section>& sections) {
  std::map<std::string, std::string> meanings;
  std::map<std::string, std::string> first;
  std::map<std::string, std::string> same_as;
  for (const Section& section : sections) {
    const auto [at, fresh] = first.try_emplace(Contents(section), section.path);
    if (!fresh) same_as[OwnerOf(section.path)] = at->second;
    for (const FieldDoc* field : section.fields) meanings[field->path] = field->meaning;
  }
  std::string text;
  for (const Section& section : sections) {
    const std::string owner = OwnerOf(section.path);
    if (same_as.contains(owner)) continue;
    text += "\n## " + (section.path.empty() ? "The document" : "`" + section.path + "`") + "\n\n";
    if (!meanings[owner].empty()) text += Cell(meanings[owner]) + "\n\n";
    text += "| field | type | default | meaning | example |\n|---|---|---|---|---|\n";
    for (const FieldDoc* field : section.fields) {
      const auto at = same_as.find(field->path);
      text += Row(*field, at == same_as.end() ? "" : at->second);
    }
  }
  return text;
}

}  // namespace

int main() {
  const std::string text = std::string(kPreamble) + Print(Sections());
  std::fputs(text.c_str(), stdout);
  return 0;
}
