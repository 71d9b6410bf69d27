#include "operator/controller/observer.h"

#include <algorithm>

#include "crds/api/codec.h"
#include "crds/api/field_reader.h"
#include "crds/api/yaml_reader.h"
#include "operator/controller/memory_text.h"
#include "operator/controller/owned_fields.h"
#include "operator/reconcile/ownership.h"
#include "operator/resources/cluster_rules.h"
#include "operator/resources/revision.h"

namespace millrace::controller {
namespace {

// Our own writing; members of another build are left out.
api::JobStatus ReadStatus(const std::string& json) {
  api::JobStatus status;
  const api::YamlDocument document = api::ReadYaml(json);
  const api::Node* node = document.root.Find("status");
  if (!document.status.ok() || node == nullptr) return status;
  api::Diagnostics unread;
  api::SourceMap positions;
  api::FieldReader reader(*node, "status", &unread, &positions);
  reader.Read([&](api::Fields& fields) { Describe(fields, status); });
  return status;
}

std::string NamespacePhase(const RawObject& object) {
  const api::YamlDocument document = api::ReadYaml(object.json);
  const api::Node* status = document.root.Find("status");
  const api::Node* phase = status == nullptr ? nullptr : status->Find("phase");
  return phase == nullptr ? "" : phase->text;
}

// What the job would have, whatever the number of its workers: nothing for one that cannot be
// built.
std::vector<Object> Wanted(const World& world, const BuildOptions& build) {
  if (!world.errors.empty() || !CheckForCluster(world.job).empty()) return {};
  const api::StreamingJob job = InForce(world, world.memory.rollout);
  std::vector<Object> objects = BuildObjects(job, build, 0);
  if (world.deleted_at) objects.push_back(BuildCleanupJob(job, build));
  return objects;
}

// The data of a revision never change, and the template of a Job cannot.
bool CanDrift(Kind kind) { return kind != Kind::kRevision && kind != Kind::kCleanupJob; }

}  // namespace

World ReadJob(const JobRecord& record) {
  World world;
  api::JobDocument document = api::ParseJob(record.json);
  world.job = std::move(document.job);
  for (api::Diagnostic& found : document.diagnostics) {
    if (!found.warning) world.errors.push_back(std::move(found));
  }
  world.deleted_at = record.deleted_at;
  world.has_finalizer = std::find(record.finalizers.begin(), record.finalizers.end(), kFinalizer) !=
                        record.finalizers.end();
  world.status = ReadStatus(record.json);
  if (world.status.memory) world.memory = ReadMemory(*world.status.memory);
  return world;
}

void Observer::ReadObjects(const std::string& ns, const std::string& name, World* world) const {
  for (const Kind kind : AllKinds()) {
    for (const auto& [child_name, child] : view_->Children(kind, ns, name)) {
      world->objects[{kind, child_name}] = child->object;
      if (child->object.job_label != world->job.metadata.uid) continue;
      if (kind == Kind::kDeployment) world->pods.updated += child->updated_replicas;
      if (kind == Kind::kCleanupJob) world->cleanup = child->cleanup;
    }
  }
}

void Observer::ReadPods(const std::string& ns, const std::string& name, World* world) const {
  ObservedPods& pods = world->pods;
  for (const auto& pod : view_->Pods(ns, name)) {
    if (!pod->is_worker || pod->finished || pod->job_uid != world->job.metadata.uid) continue;
    ++pods.total;
    if (pod->ready && !pod->deleting) ++pods.ready;
    pods.restarts += pod->restarts;
    pods.crashing += pod->crashing ? 1 : 0;
    pods.completed |= pod->completed && pod->revision == world->memory.rollout.revision;
    if (!pod->ready && pods.failure.empty()) pods.failure = pod->failure;
  }
}

void Observer::NoteDrift(const std::string& ns, const std::vector<Object>& wanted,
                         World* world) const {
  for (const Object& object : wanted) {
    const auto child = view_->Child(object.key.kind, ns, object.key.name);
    const auto seen = world->objects.find(object.key);
    if (!child || seen == world->objects.end() || !CanDrift(object.key.kind)) continue;
    seen->second.drifted = !CoversApplied(child->owned, object.json);
  }
}

Status Observer::AskForMissing(const std::string& ns, const std::vector<Object>& wanted,
                               World* world, const std::stop_token& stop) const {
  for (const Object& object : wanted) {
    const ObjectKey& key = object.key;
    if (world->objects.count(key) > 0) continue;
    const Result<RawObject> found =
        client_->Get(ObjectPath(ResourceOf(key.kind), ns, key.name), stop);
    if (!found.ok() && found.status().code() == StatusCode::kNotFound) continue;
    if (!found.ok()) return found.status();
    const std::optional<ChildRecord> child = ReadChildRecord(*found);
    if (!child) return InternalError(ToString(key) + " cannot be read");
    world->objects[key] = child->object;
    if (key.kind == Kind::kCleanupJob) world->cleanup = child->cleanup;
  }
  return OkStatus();
}

// The spec of the good revision, while another one is asked for that may be taken back. One that is
// not there, or not readable, leaves nothing to return to.
Status Observer::AskForGood(const std::string& ns, World* world,
                            const std::stop_token& stop) const {
  const std::string& good = world->memory.rollout.good;
  const std::optional<api::Rollback>& rollback = world->job.spec.upgrade.rollback;
  const ObjectKey key{Kind::kRevision, ChildName(world->job.metadata.name, good)};
  const auto kept = world->objects.find(key);
  if (good.empty() || !rollback || !rollback->enabled || kept == world->objects.end() ||
      OwnershipOf(kept->second, world->job.metadata.uid) != Ownership::kOurs ||
      good == RevisionOf(world->job.spec))
    return OkStatus();
  const Result<RawObject> found =
      client_->Get(ObjectPath(ResourceOf(key.kind), ns, key.name), stop);
  if (!found.ok() && found.status().code() == StatusCode::kNotFound) return OkStatus();
  if (!found.ok()) return found.status();
  world->good = ReadRevision(*found);
  return OkStatus();
}

// A namespace that may not be read is taken for one that stays: the timeout of the deletion bounds
// what follows from that.
Status Observer::AskForNamespace(const std::string& ns, World* world,
                                 const std::stop_token& stop) const {
  const Result<RawObject> found = client_->Get("/api/v1/namespaces/" + ns, stop);
  if (found.ok()) {
    world->namespace_terminating = NamespacePhase(*found) == "Terminating";
    return OkStatus();
  }
  return found.status().retryable() ? found.status() : OkStatus();
}

Result<Observed> Observer::Observe(const std::string& key, const ProgressTracker* progress,
                                   std::stop_token stop) const {
  const auto record = view_->Job(key);
  if (!record) return NotFoundError("there is no job " + key);
  Observed observed{ReadJob(*record), *record};
  World& world = observed.world;
  const size_t slash = key.find('/');
  const std::string ns = key.substr(0, slash);
  const std::string name = key.substr(slash + 1);
  world.job.metadata.name = name;  // known whatever else cannot be read
  world.job.metadata.ns = ns;
  world.job.metadata.uid = record->uid;
  if (progress != nullptr) {
    world.report = progress->report();
    world.load = progress->load();
  }
  ReadObjects(ns, name, &world);
  ReadPods(ns, name, &world);
  RETURN_IF_ERROR(AskForGood(ns, &world, stop));
  const std::vector<Object> wanted = Wanted(world, build_);
  NoteDrift(ns, wanted, &world);
  RETURN_IF_ERROR(AskForMissing(ns, wanted, &world, stop));
  if (world.deleted_at) RETURN_IF_ERROR(AskForNamespace(ns, &world, stop));
  return observed;
}

}  // namespace millrace::controller
