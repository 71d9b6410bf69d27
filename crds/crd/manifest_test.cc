#include "crds/crd/manifest.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "crds/api/field_docs.h"
#include "crds/crd/rules.h"

namespace millrace::crd {
namespace {

Tree SchemaOf(const Tree& manifest) {
  const Tree& version = manifest.Find("spec")->Find("versions")->items().front();
  return *version.Find("schema")->Find("openAPIV3Schema");
}

bool TakesAnything(const Tree& schema) {
  return schema.Find("x-kubernetes-preserve-unknown-fields") != nullptr;
}

// Calls `visit` for every schema with its path, as in docs/job-reference.md.
void Walk(const Tree& schema, const std::string& path,
          const std::function<void(const Tree&, const std::string&)>& visit) {
  visit(schema, path);
  if (const Tree* properties = schema.Find("properties")) {
    for (const auto& [name, member] : properties->members())
      Walk(member, path.empty() ? name : path + "." + name, visit);
  }
  if (const Tree* items = schema.Find("items")) Walk(*items, path + "[]", visit);
  if (const Tree* values = schema.Find("additionalProperties"))
    Walk(*values, path + ".<name>", visit);
}

// The schema of one step of a path: "sources[]" or "<name>".
const Tree* Enter(const Tree* schema, std::string part) {
  const bool list = part.ends_with("[]");
  if (list) part.resize(part.size() - 2);
  const Tree* properties = schema->Find("properties");
  const Tree* next = part == "<name>"        ? schema->Find("additionalProperties")
                     : properties == nullptr ? nullptr
                                             : properties->Find(part);
  return list && next != nullptr ? next->Find("items") : next;
}

// The schema at `path`, or of the refused part that it stands in; null when there is none.
const Tree* Follow(const Tree& schema, const std::string& path) {
  const Tree* at = &schema;
  std::istringstream parts(path);
  for (std::string part; std::getline(parts, part, '.') && at != nullptr;) {
    if (TakesAnything(*at)) return at;
    at = Enter(at, part);
  }
  return at;
}

TEST(ManifestTest, StandsInTheRepositoryAsItIsMade) {
  const char* root = std::getenv("MILLRACE_SOURCE_DIR");
  ASSERT_NE(root, nullptr);
  std::ifstream file(std::string(root) + "/crds/streamingjob.yaml");
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  EXPECT_TRUE(text == ManifestText()) << "crds/streamingjob.yaml is old: run `make crd`";
}

TEST(ManifestTest, HoldsEveryFieldOfTheCodec) {
  const Tree schema = SchemaOf(Manifest());
  size_t fields = 0;
  for (const api::FieldDoc& field : api::FieldDocs()) {
    if (field.path.starts_with("metadata")) continue;  // the server's own
    ++fields;
    EXPECT_NE(Follow(schema, field.path), nullptr) << field.path;
  }
  EXPECT_GT(fields, 500u);
}

TEST(ManifestTest, HoldsWhatColumnsAndScaleShow) {
  const Tree manifest = Manifest();
  const Tree& version = manifest.Find("spec")->Find("versions")->items().front();
  std::vector<std::string> paths;
  for (const Tree& column : version.Find("additionalPrinterColumns")->items())
    paths.emplace_back(column.Find("jsonPath")->text());
  for (const auto& [name, path] : version.Find("subresources")->Find("scale")->members())
    paths.emplace_back(path.text());
  for (const std::string& path : paths) {
    if (path == ".metadata.creationTimestamp") continue;
    EXPECT_NE(Follow(SchemaOf(manifest), path.substr(1)), nullptr) << path;
  }
  EXPECT_GT(paths.size(), 10u);
}

TEST(ManifestTest, IsSmallerThan64KilobytesOfJson) {
  EXPECT_LT(Manifest().ToJson().size(), 64u * 1024);
}

TEST(ManifestTest, GivesEveryFieldAType) {
  Walk(SchemaOf(Manifest()), "", [](const Tree& schema, const std::string& path) {
    EXPECT_TRUE(schema.Find("type") != nullptr || schema.Find("x-kubernetes-int-or-string"))
        << path;
  });
}

TEST(ManifestTest, HasNoReferencesAndNoUnionsOutsideRules) {
  Walk(SchemaOf(Manifest()), "", [](const Tree& schema, const std::string& path) {
    for (const char* name : {"$ref", "oneOf", "anyOf", "allOf", "not", "nullable", "uniqueItems"})
      EXPECT_EQ(schema.Find(name), nullptr) << path << " has " << name;
  });
}

TEST(ManifestTest, TakesUnknownMembersOnlyWhereARuleRefusesThePart) {
  Walk(SchemaOf(Manifest()), "", [](const Tree& schema, const std::string& path) {
    EXPECT_EQ(TakesAnything(schema), IsRefused(path)) << path;
  });
}

TEST(ManifestTest, BoundsEveryListAndMapOfTheSpec) {
  Walk(SchemaOf(Manifest()), "", [](const Tree& schema, const std::string& path) {
    if (!path.starts_with("spec")) return;
    for (const auto& [kind, bound] :
         {std::pair("items", "maxItems"), std::pair("additionalProperties", "maxProperties")}) {
      if (schema.Find(kind) == nullptr) continue;
      EXPECT_NE(schema.Find(bound), nullptr) << path;
    }
  });
}

TEST(ManifestTest, DefaultsNoFieldWhoseGivingHasAMeaning) {
  const Tree schema = SchemaOf(Manifest());
  for (const char* path : {"spec.autoscaling.mode", "spec.autoscaling.minWorkers",
                           "spec.streams[].steps[].name", "spec.sinks[].delivery"}) {
    ASSERT_NE(Follow(schema, path), nullptr) << path;
    EXPECT_EQ(Follow(schema, path)->Find("default"), nullptr) << path;
  }
  EXPECT_EQ(Follow(schema, "spec.workers")->Find("default")->ToJson(), "1");
  EXPECT_EQ(Follow(schema, "spec.batchInterval")->Find("default")->ToJson(), "\"1s\"");
}

TEST(RulesTest, StandWhereTheSchemaHasAnObject) {
  std::string wheres;
  Walk(SchemaOf(Manifest()), "", [&](const Tree&, const std::string& path) {
    for (const Rule& rule : RulesAt(path)) wheres += std::string(rule.where) + "\n";
  });
  for (const Rule& rule : Rules()) {
    EXPECT_NE(wheres.find(std::string(rule.where) + "\n"), std::string::npos) << rule.where;
  }
}

// What the server knows as `self.x` has to be a property of the object.
TEST(RulesTest, SpeakOnlyOfMembersOfTheirObject) {
  Walk(SchemaOf(Manifest()), "", [](const Tree& schema, const std::string& path) {
    if (IsRefused(path)) return;
    for (const Rule& rule : RulesAt(path)) {
      for (size_t at = rule.cel.find("self."); at != std::string::npos;
           at = rule.cel.find("self.", at + 1)) {
        const size_t begin = at + 5;
        const size_t end = rule.cel.find_first_not_of(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", begin);
        const std::string name = rule.cel.substr(begin, end - begin);
        ASSERT_NE(schema.Find("properties"), nullptr) << path;
        EXPECT_NE(schema.Find("properties")->Find(name), nullptr) << path << ": " << rule.cel;
      }
    }
  });
}

}  // namespace
}  // namespace millrace::crd
