#include "operator/controller/executor.h"

#include <algorithm>

#include "crds/api/field_writer.h"
#include "crds/base/log.h"
#include "crds/base/text.h"
#include "operator/controller/memory_text.h"
#include "operator/resources/json_parts.h"

namespace millrace::controller {

struct Executor::Pass {
  const Observed& observed;
  std::stop_token stop;
  std::string version;  // of the job, which our own writes move
  const api::ObjectMeta& job() const { return observed.world.job.metadata; }
  std::string key() const { return job().ns + "/" + job().name; }
  std::string path() const { return ObjectPath(JobResource(), job().ns, job().name); }
  std::string name() const { return std::string(kJobKind) + "/" + key(); }
};

namespace {

std::string NameOf(const ObjectKey& key, const std::string& ns) {
  return std::string(InfoOf(key.kind).kind) + "/" + ns + "/" + key.name;
}

}  // namespace

std::string Bound(const std::string& json, const std::string& uid, const std::string& version) {
  const std::string metadata = "\"metadata\":{";
  std::string result = json;
  result.insert(result.find(metadata) + metadata.size(),
                "\"uid\":" + JsonQuote(uid) + ",\"resourceVersion\":" + JsonQuote(version) + ",");
  return result;
}

std::string StatusBody(const api::ObjectMeta& job, const std::string& resource_version,
                       const Plan& plan) {
  api::JobStatus status = plan.status;
  status.memory = WriteMemory(plan.memory);
  JsonWriter out;
  Element(&out, [&] {
    Text(&out, "apiVersion", kApiVersion);
    Text(&out, "kind", kJobKind);
    Group(&out, "metadata", [&] {
      Text(&out, "name", job.name);
      Text(&out, "namespace", job.ns);
      Text(&out, "uid", job.uid);
      Text(&out, "resourceVersion", resource_version);
    });
    out.Key("status");
    api::FieldWriter::Write([&](api::Fields& fields) { Describe(fields, status); }, &out);
  });
  return out.Take();
}

Status Executor::Apply(const Object& object, Pass* pass) {
  const auto seen = pass->observed.world.objects.find(object.key);
  const bool exists = seen != pass->observed.world.objects.end();
  const std::string path = ObjectPath(ResourceOf(object.key.kind), pass->job().ns, object.key.name);
  const std::string body =
      exists ? Bound(object.json, seen->second.uid, seen->second.version) : object.json;
  ASSIGN_OR_RETURN(const RawObject applied,
                   client_->Apply(path, body, {.force = exists}, pass->stop));
  Log(LogLevel::kInfo, exists ? "object changed" : "object made",
      {{"job", pass->key()}, {"object", ToString(object.key)}});
  pending_->Expect(pass->key(), NameOf(object.key, pass->job().ns), applied.resource_version,
                   clock_->Monotonic());
  return OkStatus();
}

Status Executor::Delete(const Action& action, Pass* pass) {
  const ObjectKey& key = action.object.key;
  const std::string path = ObjectPath(ResourceOf(key.kind), pass->job().ns, key.name);
  const Status status = client_->Delete(path, action.uid, pass->stop);
  if (status.code() == StatusCode::kNotFound) return OkStatus();
  RETURN_IF_ERROR(status);
  pending_->Expect(pass->key(), NameOf(key, pass->job().ns), "gone", clock_->Monotonic());
  Log(LogLevel::kInfo, "object deleted", {{"job", pass->key()}, {"object", ToString(key)}});
  return OkStatus();
}

// The list as it was, with or without ours; bound to the version it was read from.
Status Executor::SetFinalizer(bool wanted, Pass* pass) {
  std::vector<std::string> names = pass->observed.record.finalizers;
  std::erase(names, std::string(kFinalizer));
  if (wanted) names.emplace_back(kFinalizer);
  JsonWriter out;
  Element(&out, [&] {
    Group(&out, "metadata", [&] {
      Text(&out, "uid", pass->job().uid);
      Text(&out, "resourceVersion", pass->version);
      Sequence(&out, "finalizers", [&] {
        for (const std::string& name : names) out.String(name);
      });
    });
  });
  const Result<RawObject> written = client_->MergePatch(pass->path(), out.Take(), pass->stop);
  if (!wanted && written.status().code() == StatusCode::kNotFound) return OkStatus();
  RETURN_IF_ERROR(written.status());
  pass->version = written->resource_version;
  if (wanted) pending_->Expect(pass->key(), pass->name(), pass->version, clock_->Monotonic());
  return OkStatus();
}

Status Executor::CarryOut(const Action& action, Pass* pass) {
  switch (action.kind) {
    case ActionKind::kAddFinalizer:
      return SetFinalizer(true, pass);
    case ActionKind::kRemoveFinalizer:
      return SetFinalizer(false, pass);
    case ActionKind::kApply:
      return Apply(action.object, pass);
    case ActionKind::kDelete:
      return Delete(action, pass);
    case ActionKind::kDeleteJob:
      return client_->Delete(pass->path(), pass->job().uid, pass->stop);
  }
  return OkStatus();
}

Status Executor::WriteStatus(const Plan& plan, Pass* pass) {
  const std::string body = StatusBody(pass->job(), pass->version, plan);
  const ApplyOptions options{.force = true, .to_status = true};
  ASSIGN_OR_RETURN(const RawObject written,
                   client_->Apply(pass->path(), body, options, pass->stop));
  if (written.resource_version != pass->version)
    pending_->Expect(pass->key(), pass->name(), written.resource_version, clock_->Monotonic());
  return OkStatus();
}

Status Executor::CarryOut(const Observed& observed, const Plan& plan, std::stop_token stop) {
  Pass pass{observed, std::move(stop), observed.record.resource_version};
  const auto removes = [](const Action& action) {
    return action.kind == ActionKind::kRemoveFinalizer;
  };
  const bool last = std::any_of(plan.actions.begin(), plan.actions.end(), removes);
  for (const Action& action : plan.actions) {
    const Status status = CarryOut(action, &pass);
    if (!status.ok()) return status;
  }
  // Without its finalizer the job is gone, and its status with it.
  return plan.write_status && !last ? WriteStatus(plan, &pass) : OkStatus();
}

}  // namespace millrace::controller
