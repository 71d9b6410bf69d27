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
- Fields of `kafka`, `redis`, `sql`, `elasticsearch`, `avro`, `protobuf`, `spec.models`, `spec.reset` and
  `spec.upgrade.rollback` are part of the contract, but this version refuses them with "not supported yet".

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

std::string Row(const FieldDoc& field) {
  const std::string name = field.path.substr(field.path.rfind('.') + 1);
  const std::string value = field.required ? "**required**" : Code(field.default_text);
  return "| `" + name + "` | " + Cell(field.type) + " | " + value + " | " + Cell(field.meaning) +
         " | " + Code(field.example) + " |\n";
}

}  // namespace

int main() {
  std::vector<std::string> order;
  std::map<std::string, std::string> rows;
  std::map<std::string, std::string> meanings;
  for (const FieldDoc& field : millrace::api::FieldDocs()) {
    const std::string parent = ParentOf(field.path);
    if (!rows.contains(parent)) order.push_back(parent);
    rows[parent] += Row(field);
    meanings[field.path] = field.meaning;
  }
  std::string text(kPreamble);
  for (const std::string& parent : order) {
    text += "\n## " + (parent.empty() ? "The document" : "`" + parent + "`") + "\n\n";
    if (const std::string& meaning = meanings[OwnerOf(parent)]; !meaning.empty()) {
      text += Cell(meaning) + "\n\n";
    }
    text +=
        "| field | type | default | meaning | example |\n|---|---|---|---|---|\n" + rows[parent];
  }
  std::fputs(text.c_str(), stdout);
  return 0;
}
