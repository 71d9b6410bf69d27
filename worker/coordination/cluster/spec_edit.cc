#include "worker/coordination/cluster/spec_edit.h"

#include <algorithm>
#include <tuple>

#include "crds/base/text.h"
#include "crds/base/wire.h"

// SpecRecord, version 1: version:u8 fields:varint { name:bytes digest:bytes } shape:bytes
namespace millrace::worker {
namespace {

constexpr uint8_t kVersion = 1;

struct Votes {
  int members = 0;
  int64_t generation = 0;
};

// Members by the hash of their spec, of those that live and stay.
std::map<std::string, Votes> CountVotes(const JobFacts& facts, const std::set<std::string>& live) {
  std::map<std::string, Votes> votes;
  for (const auto& [member, record] : facts.members) {
    if (record.leaving || !live.contains(member) || record.spec_gen < facts.spec_gen) continue;
    Votes& of_spec = votes[record.spec_hash];
    ++of_spec.members;
    of_spec.generation = std::max(of_spec.generation, record.spec_gen);
  }
  return votes;
}

std::string EditedFields(const SpecRecord& before, const SpecRecord& now) {
  std::vector<std::string> fields;
  for (const auto& [field, digest] : now.fields) {
    const auto old = before.fields.find(field);
    if (old == before.fields.end() || old->second != digest) fields.push_back("spec." + field);
  }
  return fields.empty() ? "" : " (edited: " + Join(fields, ", ") + ")";
}

}  // namespace

std::string EncodeSpec(const SpecRecord& spec) {
  std::string bytes;
  WireWriter out(&bytes);
  out.U8(kVersion);
  out.Varint(spec.fields.size());
  for (const auto& [name, digest] : spec.fields) {
    out.Bytes(name);
    out.Bytes(digest);
  }
  out.Bytes(spec.shape);
  return bytes;
}

Result<SpecRecord> DecodeSpec(std::string_view bytes) {
  WireReader in(bytes);
  SpecRecord spec;
  if (const uint8_t version = in.U8(); in.ok() && version != kVersion)
    return InternalError("spec record has format version " + std::to_string(version) +
                         ", this build reads version 1");
  for (uint64_t n = in.Count(2); n > 0; --n) {
    std::string name(in.Bytes());
    spec.fields[std::move(name)] = in.Bytes();
  }
  spec.shape = in.Bytes();
  RETURN_IF_ERROR(in.Finish("spec record"));
  return spec;
}

Result<SpecRecord> CommittedSpec(const JobFacts& facts) {
  const auto found = facts.specs.find(facts.commit.spec_hash);
  if (found == facts.specs.end())
    return InvalidError(
        "UpgradeBlocked: the state was written by a build that kept no record of its job file; go "
        "back to that build, or begin anew under another state.id and new outputs");
  return DecodeSpec(found->second);
}

Status CheckEdit(const JobFacts& facts, const OwnSpec& own) {
  if (facts.generation && static_cast<int>(facts.generation->groups.size()) != own.groups)
    return InvalidError("UpgradeBlocked: spec.maxParallelism cannot change from " +
                        std::to_string(facts.generation->groups.size()) +
                        " for the life of the job; restore it, or begin anew under another "
                        "state.id and new outputs");
  if (facts.commit.batch == 0 || facts.commit.spec_hash == own.hash) return OkStatus();
  ASSIGN_OR_RETURN(const SpecRecord before, CommittedSpec(facts));
  const ShapeChange change = CompareShapes(before.shape, own.record.shape);
  if (change.lost.empty() || own.allow_state_loss) return OkStatus();
  return InvalidError("UpgradeBlocked: " + LossText(change) + EditedFields(before, own.record));
}

bool SameSinks(const JobFacts& facts, const OwnSpec& own) {
  const auto found = facts.specs.find(facts.spec_hash);
  if (found == facts.specs.end()) return false;
  const Result<SpecRecord> before = DecodeSpec(found->second);
  const auto now = own.record.fields.find("sinks");
  if (!before.ok() || now == own.record.fields.end()) return false;
  const auto old = before->fields.find("sinks");
  return old != before->fields.end() && old->second == now->second;
}

std::string SpecToRun(const JobFacts& facts, const std::set<std::string>& live, bool finish_plans) {
  std::map<std::string, Votes> votes = CountVotes(facts, live);
  const Votes current = votes[facts.spec_hash];
  votes.erase(facts.spec_hash);
  if (current.members > 0 && finish_plans && !facts.plans.empty()) return facts.spec_hash;
  const auto rank = [](const auto& entry) {
    return std::tuple(entry.second.generation, entry.second.members, entry.first);
  };
  const auto best = std::max_element(
      votes.begin(), votes.end(), [&](const auto& a, const auto& b) { return rank(a) < rank(b); });
  if (best == votes.end()) return facts.spec_hash;
  const bool newer =
      best->second.generation > facts.spec_gen && best->second.members >= current.members;
  return newer || current.members == 0 ? best->first : facts.spec_hash;
}

}  // namespace millrace::worker
