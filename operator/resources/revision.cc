#include "operator/resources/revision.h"

#include "crds/api/codec.h"
#include "crds/base/text.h"
#include "operator/resources/build.h"
#include "operator/resources/json_parts.h"

namespace millrace::controller {
namespace {

constexpr size_t kRevisionDigits = 10;

bool IsOfRevision(api::EditClass edit_class) {
  switch (edit_class) {
    case api::EditClass::kNone:
    case api::EditClass::kHot:
    case api::EditClass::kScale:
      return false;
    case api::EditClass::kRoll:
    case api::EditClass::kFixed:
      return true;
  }
  return true;
}

}  // namespace

std::string RevisionOf(const api::FieldDigests& digests) {
  std::string text;
  for (const auto& [field, digest] : digests) {
    if (IsOfRevision(api::ClassOf(field)))
      text.append(field).append("=").append(digest).append(";");
  }
  return HexEncode(Sha256(text)).substr(0, kRevisionDigits);
}

std::string RevisionOf(const api::StreamingJobSpec& spec) {
  return RevisionOf(api::DigestFields(spec));
}

api::StreamingJobSpec SnapshotOf(const api::StreamingJobSpec& spec) {
  return Returned(spec, api::StreamingJobSpec());
}

api::StreamingJobSpec Returned(const api::StreamingJobSpec& snapshot,
                               const api::StreamingJobSpec& asked) {
  api::StreamingJobSpec spec = snapshot;
  api::TakeHotFields(asked, &spec);
  spec.workers = asked.workers;
  spec.suspend = asked.suspend;
  return spec;
}

Object BuildRevision(const api::StreamingJob& job, const std::string& revision) {
  api::StreamingJob snapshot;
  snapshot.metadata.name = job.metadata.name;
  snapshot.spec = SnapshotOf(job.spec);
  const std::string name = ChildName(job.metadata.name, revision);
  return MakeObject(job.metadata, {.key = {Kind::kRevision, name}}, [&](JsonWriter* out) {
    Number(out, "revision", job.metadata.generation);
    out->Key("data");
    out->Raw(api::ToJson(snapshot));
  });
}

}  // namespace millrace::controller
