#include "crds/crd/manifest.h"

#include <set>

#include "crds/api/job_status.h"
#include "crds/crd/schema_fields.h"

namespace millrace::crd {
namespace {

Tree Column(const char* name, const char* type, const char* path, bool wide = false) {
  Tree column{{"name", name}, {"type", type}, {"jsonPath", path}};
  if (wide) column.Set("priority", 1);
  return column;
}

Tree Columns() {
  return Tree::List({
      Column("Phase", "string", ".status.phase"),
      Column("Ready", "integer", ".status.workers.ready"),
      Column("Desired", "integer", ".status.workers.desired"),
      Column("Lag", "integer", ".status.lagRecords"),
      Column("Batch Time", "string", ".status.batch.duration"),
      Column("Age", "date", ".metadata.creationTimestamp"),
      Column("Generation", "integer", ".status.generation", true),
      Column("Restarts", "integer", ".status.restarts", true),
      Column("Last Error", "string", ".status.lastError.message", true),
  });
}

// A schema with the description in front.
Tree Described(const char* description, const Tree& schema) {
  return Tree{{"description", description}}.Merge(schema);
}

// Without the descriptions that an earlier field has: the server keeps the manifest in one piece,
// and docs/job-reference.md has them all.
Tree SayOnce(const Tree& tree, std::set<std::string>* said) {
  if (tree.members().empty()) return tree;
  Tree kept;
  for (const auto& [name, value] : tree.members()) {
    if (name == "description" && !said->emplace(value.text()).second) continue;
    kept.Set(name, SayOnce(value, said));
  }
  return kept;
}

// The server checks the rest of metadata by itself.
Tree MetadataSchema() {
  const api::TextShape& name = api::kObjectName.shape;
  return {{"type", "object"},
          {"properties", Tree{{"name", Tree{{"type", "string"},
                                            {"pattern", name.pattern},
                                            {"maxLength", name.max_length}}}}}};
}

Tree Schema() {
  api::StreamingJobSpec spec;
  api::JobStatus status;
  const Tree text{{"type", "string"}};
  const Tree spec_schema = SchemaFields::Make("spec", [&](api::Fields& f) { Describe(f, spec); });
  const Tree status_schema =
      SchemaFields::Make("status", [&](api::Fields& f) { Describe(f, status); });
  return {{"description", "A stream processing job that runs in small batches."},
          {"type", "object"},
          {"required", Tree::List({Tree("metadata"), Tree("spec")})},
          {"properties",
           Tree{{"apiVersion", Described("Version of the API.", text)},
                {"kind", Described("Kind of the object.", text)},
                {"metadata", MetadataSchema()},
                {"spec", Described("What the job does.", spec_schema)},
                {"status", Described("What the operator says about the job.", status_schema)}}}};
}

Tree Version() {
  std::set<std::string> said;
  return {{"name", "v1alpha1"},
          {"served", true},
          {"storage", true},
          {"subresources", Tree{{"status", Tree()},
                                {"scale", Tree{{"specReplicasPath", ".spec.workers"},
                                               {"statusReplicasPath", ".status.workers.current"},
                                               {"labelSelectorPath", ".status.selector"}}}}},
          {"additionalPrinterColumns", Columns()},
          {"schema", Tree{{"openAPIV3Schema", SayOnce(Schema(), &said)}}}};
}

Tree Names() {
  return {{"kind", "StreamingJob"},
          {"listKind", "StreamingJobList"},
          {"plural", "streamingjobs"},
          {"singular", "streamingjob"},
          {"shortNames", Tree::List({Tree("sjob")})},
          {"categories", Tree::List({Tree("all")})}};
}

}  // namespace

Tree Manifest() {
  return {{"apiVersion", "apiextensions.k8s.io/v1"},
          {"kind", "CustomResourceDefinition"},
          {"metadata", Tree{{"name", "streamingjobs.streaming.millrace.io"}}},
          {"spec", Tree{{"group", "streaming.millrace.io"},
                        {"names", Names()},
                        {"scope", "Namespaced"},
                        {"versions", Tree::List({Version()})}}}};
}

std::string ManifestText() {
  return "# Made by `make crd` from crds/api and crds/crd/rules.cc; a test compares the two.\n" +
         Manifest().ToYaml();
}

}  // namespace millrace::crd
