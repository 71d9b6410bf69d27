#include "worker/runtime/cluster/job_edits.h"

#include <algorithm>
#include <utility>

#include "crds/base/json_writer.h"
#include "crds/base/text.h"

namespace millrace::worker {
namespace {

void WriteList(JsonWriter* out, std::string_view name, const std::vector<std::string>& values) {
  out->Key(name);
  out->BeginArray();
  for (const std::string& value : values) out->String(value);
  out->EndArray();
}

// What the fields of an edit ask of a worker: the number of workers is not its business.
std::vector<std::string> NeedRestart(const api::Edit& edit) {
  std::vector<std::string> fields = FieldsOf(edit, api::EditClass::kRoll);
  for (std::string& field : FieldsOf(edit, api::EditClass::kFixed))
    fields.push_back(std::move(field));
  std::sort(fields.begin(), fields.end());
  return fields;
}

}  // namespace

JobEdits::JobEdits(const api::StreamingJob& running, std::string spec_hash)
    : spec_hash_(std::move(spec_hash)),
      running_(running),
      digests_(api::DigestFields(running.spec)) {}

EditVerdict JobEdits::Judge(const api::StreamingJob& job, TimePoint now) {
  const std::lock_guard lock(mutex_);
  const api::FieldDigests digests = api::DigestFields(job.spec);
  const api::Edit edit = api::Classify(digests_, digests);
  EditVerdict verdict;
  error_.clear();
  needs_restart_ = NeedRestart(edit);
  if (job.metadata.name != running_.metadata.name || job.metadata.ns != running_.metadata.ns)
    needs_restart_.insert(needs_restart_.begin(), "metadata");
  if (!needs_restart_.empty()) {
    refused_at_ = now;
    verdict.kind = EditVerdict::Kind::kNeedsRestart;
    verdict.fields = needs_restart_;
    return verdict;
  }
  refused_at_.reset();
  verdict.fields = FieldsOf(edit, api::EditClass::kHot);
  if (verdict.fields.empty()) return verdict;
  verdict.kind = EditVerdict::Kind::kTaken;
  verdict.spec = job.spec;
  api::TakeHotFields(job.spec, &running_.spec);
  digests_ = api::DigestFields(running_.spec);
  applied_ = verdict.fields;
  applied_at_ = now;
  return verdict;
}

EditVerdict JobEdits::Refuse(std::string error, TimePoint now) {
  const std::lock_guard lock(mutex_);
  needs_restart_.clear();
  error_ = std::move(error);
  refused_at_ = now;
  EditVerdict verdict;
  verdict.kind = EditVerdict::Kind::kBroken;
  verdict.error = error_;
  return verdict;
}

std::string JobEdits::Json() const {
  const std::lock_guard lock(mutex_);
  JsonWriter out;
  out.BeginObject();
  out.Key("specHash");
  out.String(spec_hash_);
  if (applied_at_) {
    out.Key("appliedAt");
    out.String(FormatRfc3339(*applied_at_));
    WriteList(&out, "applied", applied_);
  }
  if (refused_at_) {
    out.Key("refusedAt");
    out.String(FormatRfc3339(*refused_at_));
  }
  if (!needs_restart_.empty()) WriteList(&out, "needsRestart", needs_restart_);
  if (!error_.empty()) {
    out.Key("error");
    out.String(error_);
  }
  out.EndObject();
  return out.Take();
}

}  // namespace millrace::worker
