#include "crds/api/codec.h"

#include <set>

#include "crds/api/field_reader.h"
#include "crds/api/field_writer.h"
#include "crds/api/findings.h"
#include "crds/api/overrides.h"
#include "crds/api/validate.h"
#include "crds/api/yaml_reader.h"

namespace millrace::api {
namespace {

// Notes the place of every value, and the members that no reading may choose between.
class TreeCheck {
 public:
  TreeCheck(SourceMap* positions, Diagnostics* diagnostics)
      : positions_(positions), diagnostics_(diagnostics) {}

  void Walk(const Node& node, const std::string& path) {
    positions_->emplace(path, node.position);
    for (size_t i = 0; i < node.items.size(); ++i)
      Walk(node.items[i], path + "[" + std::to_string(i) + "]");
    std::set<std::string_view> seen;
    for (const Node::Member& member : node.members) {
      const std::string& name = member.key.text;
      const std::string child = path.empty() ? name : path + "." + name;
      const bool first = seen.insert(name).second;
      if (name == "<<" && member.key.style == Node::Style::kPlain) {
        Refuse(child, member.key, "merge keys (<<) are not read; write the fields out");
      } else if (!first) {
        const int line = node.Find(name)->position.line;
        Refuse(child, member.key,
               "duplicate key \"" + name + "\"; first given on line " + std::to_string(line));
      } else {
        Walk(member.value, child);
      }
    }
  }

 private:
  void Refuse(const std::string& path, const Node& key, std::string message) {
    positions_->insert_or_assign(path, key.position);
    AddError(diagnostics_, path, std::move(message));
  }

  SourceMap* positions_;
  Diagnostics* diagnostics_;
};

// Names that the manifest leaves to the kind, the stream or the table.
void FillNames(StreamingJob* job) {
  for (Stream& stream : job->spec.streams) {
    for (Step& step : stream.steps) {
      if (step.name.empty()) step.name = StepKindName(step.kind);
      if (auto* join = std::get_if<JoinStep>(&step.kind)) {
        if (join->with_key.empty()) join->with_key = join->key;
        if (join->as.empty()) join->as = join->with;
      }
      if (auto* lookup = std::get_if<LookupStep>(&step.kind)) {
        if (lookup->as.empty()) lookup->as = lookup->table;
      }
    }
  }
}

// Behind so many faults of shape the rules between fields would only repeat them, at quadratic
// cost.
constexpr size_t kMaxShapeErrors = 1000;

void AddRules(const StreamingJob& job, const SourceMap& positions, Diagnostics* diagnostics) {
  if (diagnostics->size() > kMaxShapeErrors) return;
  Diagnostics rules;
  Validate(job, positions, &rules);
  AddFindings(std::move(rules), Diagnostics(*diagnostics), diagnostics);
}

// The job as far as it can be read; false when the text is not of this kind at all.
bool ReadJob(const Node& root, JobDocument* document) {
  FieldReader reader(root, "", &document->diagnostics, &document->positions);
  reader.Ignore({"status"});
  for (const char* name : {"apiVersion", "kind"}) {
    const Node* node = root.Find(name);
    if (node == nullptr ||
        node->text ==
            (std::string_view(name) == "kind" ? "StreamingJob" : "streaming.millrace.io/v1alpha1"))
      continue;
    StreamingJob ignored;
    Diagnostics all;
    SourceMap positions;
    FieldReader only(root, "", &all, &positions);
    only.Read([&](Fields& fields) { Describe(fields, ignored); });
    for (Diagnostic& found : all) {
      if (found.path == "apiVersion" || found.path == "kind")
        document->diagnostics.push_back(std::move(found));
    }
    return false;
  }
  reader.Read([&](Fields& fields) { Describe(fields, document->job); });
  return true;
}

}  // namespace

JobDocument ParseJob(std::string_view text, std::span<const Override> overrides) {
  JobDocument document;
  YamlDocument yaml = ReadYaml(text);
  if (!yaml.status.ok()) {
    document.positions[""] = yaml.error_position;
    AddError(&document.diagnostics, "", yaml.status.message());
    return document;
  }
  if (yaml.empty) {
    AddError(&document.diagnostics, "", "no job found: the text is empty");
    return document;
  }
  if (yaml.root.kind != Node::Kind::kObject) {
    document.positions[""] = yaml.root.position;
    AddError(&document.diagnostics, "",
             "expected a job, an object with apiVersion, kind, metadata and spec; found " +
                 DescribeNode(yaml.root));
    return document;
  }
  ApplyOverrides(overrides, &yaml.root, &document.diagnostics);
  TreeCheck(&document.positions, &document.diagnostics).Walk(yaml.root, "");
  if (ReadJob(yaml.root, &document)) {
    FillNames(&document.job);
    document.shape_errors = document.diagnostics;
    AddRules(document.job, document.positions, &document.diagnostics);
    document.readable = document.diagnostics.size() <= kMaxShapeErrors;
  }
  SortByPlace(document.positions, &document.diagnostics);
  return document;
}

std::string ToJson(const StreamingJob& job) {
  StreamingJob copy = job;  // Describe takes a reference it could write through
  JsonWriter writer;
  FieldWriter::Write([&](Fields& fields) { Describe(fields, copy); }, &writer);
  return writer.Take();
}

}  // namespace millrace::api
