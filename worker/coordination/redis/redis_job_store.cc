#include "worker/coordination/redis/redis_job_store.h"

#include <cstdlib>
#include <utility>
#include <vector>

#include "crds/base/wire.h"
#include "worker/coordination/redis/job_scripts.h"

// Member record, version 1: version:u8 address:bytes specGen:varint specHash:bytes beat:varint
// leaving:u8
namespace millrace::worker {
namespace {

constexpr uint8_t kMemberVersion = 1;

std::string EncodeMember(const MemberRecord& record) {
  std::string bytes;
  WireWriter out(&bytes);
  out.U8(kMemberVersion);
  out.Bytes(record.address);
  out.Varint(record.spec_gen);
  out.Bytes(record.spec_hash);
  out.Varint(record.beat);
  out.U8(record.leaving ? 1 : 0);
  return bytes;
}

MemberRecord DecodeMember(std::string_view bytes) {
  WireReader in(bytes);
  MemberRecord record;
  if (in.U8() != kMemberVersion) return record;
  record.address = in.Bytes();
  record.spec_gen = static_cast<int64_t>(in.Varint());
  record.spec_hash = in.Bytes();
  record.beat = static_cast<int64_t>(in.Varint());
  record.leaving = in.U8() != 0;
  return record;
}

// A script and its arguments.
struct Invocation {
  const JobScript* script;
  std::vector<std::string> args;
};

std::string Text(int64_t number) { return std::to_string(number); }

Invocation Of(const InitJob& r) { return {&kInitScript, {Text(r.spec_gen), r.spec_hash, r.spec}}; }
Invocation Of(const ReadJob&) { return {&kReadScript, {}}; }
Invocation Of(const AcquireLease& r) {
  return {
      &kAcquireScript,
      {r.observed_token, Text(r.observed_beat), r.token, r.holder, r.address, Text(r.spec_gen)}};
}
Invocation Of(const RenewLease& r) { return {&kRenewScript, {r.lease.token, Text(r.lease.epoch)}}; }
Invocation Of(const ReleaseLease& r) {
  return {&kReleaseScript, {r.lease.token, Text(r.lease.epoch)}};
}
Invocation Of(const BeatMember& r) {
  return {
      &kBeatScript,
      {r.member, EncodeMember(r.record), Text(r.known.batch), r.known.digest, r.gone ? "1" : "0"}};
}
Invocation Of(const HaltJob& r) {
  return {&kHaltScript, {r.lease.token, Text(r.lease.epoch), r.reason}};
}
Invocation Of(const NewGeneration& r) {
  const Generation& g = r.generation;
  return {&kNewGenerationScript,
          {r.lease.token, Text(r.lease.epoch), Text(r.observed.batch), r.observed.generation,
           Text(r.spec_gen), g.name, Text(g.fence), g.spec_hash, Text(g.slots()), Text(g.max_slots),
           EncodeGeneration(g), r.spec}};
}
Invocation Of(const MarkReady& r) {
  return {&kReadyScript, {r.generation, Text(r.slot), Text(r.known.batch), r.known.digest}};
}
Invocation Of(const OpenGeneration& r) {
  const std::string batch = r.suspect ? Text(r.suspect->batch) : "";
  return {&kOpenScript,
          {r.lease.token, Text(r.lease.epoch), r.generation.name, batch,
           r.suspect ? r.suspect->digest : "", EncodeGeneration(r.generation)}};
}
Invocation Of(const AppendPlan& r) {
  return {&kPlanScript,
          {r.lease.token, Text(r.lease.epoch), r.generation, r.previous_digest, Text(r.plan.batch),
           r.plan.digest, r.plan.spec_hash, r.plan.bytes}};
}
Invocation Of(const BeginDelivery& r) {
  return {&kDeliverScript, {r.lease.token, Text(r.lease.epoch), r.generation, Text(r.batch)}};
}
Invocation Of(const AmendPlan& r) {
  return {&kAmendScript,
          {r.lease.token, Text(r.lease.epoch), r.generation, Text(r.plan.batch), r.plan.digest,
           r.plan.spec_hash, r.plan.bytes}};
}
Invocation Of(const PutPrepared& r) {
  return {&kPreparedScript, {r.generation, Text(r.slot), Text(r.batch), r.report}};
}
Invocation Of(const CommitBatch& r) {
  Invocation invocation{
      &kCommitScript,
      {r.lease.token, Text(r.lease.epoch), r.generation, Text(r.batch), r.digest, r.record}};
  for (const auto& [field, value] : r.offsets) {
    invocation.args.push_back(field);
    invocation.args.push_back(value);
  }
  return invocation;
}
Invocation Of(const ReadOffsets&) { return {&kReadOffsetsScript, {}}; }
Invocation Of(const ReadReports& r) { return {&kReadReportsScript, {r.generation, Text(r.batch)}}; }

// field, value, field, value, ... as HGETALL answers
std::map<std::string, std::string> Fields(const RedisReply& reply) {
  std::map<std::string, std::string> fields;
  for (size_t i = 0; i + 1 < reply.items.size(); i += 2)
    fields[reply.items[i].text] = reply.items[i + 1].text;
  return fields;
}

int64_t Number(const std::map<std::string, std::string>& fields, const std::string& name) {
  const auto it = fields.find(name);
  return it == fields.end() ? 0 : std::strtoll(it->second.c_str(), nullptr, 10);
}

std::string Value(const std::map<std::string, std::string>& fields, const std::string& name) {
  const auto it = fields.find(name);
  return it == fields.end() ? "" : it->second;
}

void ReadHeads(const std::vector<RedisReply>& items, JobFacts* facts) {
  const auto job = Fields(items[2]);
  facts->spec_gen = Number(job, "specGen");
  facts->spec_hash = Value(job, "specHash");
  facts->slots = Number(job, "slots");
  facts->halt = Value(job, "halt");
  if (job.contains("suspectBatch"))
    facts->suspect = KnownCommit{Number(job, "suspectBatch"), Value(job, "suspectDigest")};
  const auto lease = Fields(items[3]);
  facts->lease = {{Value(lease, "token"), Number(lease, "epoch")},
                  Value(lease, "holder"),
                  Value(lease, "address"),
                  Number(lease, "beat"),
                  lease.empty() || Value(lease, "released") == "1"};
  const auto commit = Fields(items[6]);
  facts->commit = {Number(commit, "batch"),     Value(commit, "digest"),
                   Value(commit, "generation"), Value(commit, "record"),
                   Number(commit, "reports"),   Number(commit, "delivering"),
                   Value(commit, "specHash")};
}

Status ReadGeneration(const RedisReply& reply, JobFacts* facts) {
  const auto fields = Fields(reply);
  if (fields.empty()) return OkStatus();
  ASSIGN_OR_RETURN(Generation generation, DecodeGeneration(Value(fields, "data")));
  generation.open = Value(fields, "open") == "1";
  facts->generation = std::move(generation);
  return OkStatus();
}

Status ReadFacts(const std::vector<RedisReply>& items, StoreReply* reply) {
  if (items.size() < 10)
    return InternalError("reply of " + std::to_string(items.size()) + " parts");
  auto facts = std::make_shared<JobFacts>();
  ReadHeads(items, facts.get());
  RETURN_IF_ERROR(ReadGeneration(items[4], facts.get()));
  for (const RedisReply& slot : items[5].items) facts->ready[std::atoi(slot.text.c_str())] = true;
  for (const auto& [member, record] : Fields(items[7]))
    facts->members[member] = DecodeMember(record);
  const std::vector<RedisReply>& plans = items[8].items;
  for (size_t i = 0; i + 3 < plans.size(); i += 4) {
    facts->plans.push_back({std::strtoll(plans[i].text.c_str(), nullptr, 10), plans[i + 1].text,
                            plans[i + 2].text, plans[i + 3].text});
  }
  facts->specs = Fields(items[9]);
  reply->facts = std::move(facts);
  return OkStatus();
}

StoreCode CodeOf(const std::string& word) {
  for (const StoreCode code : {StoreCode::kOk, StoreCode::kLost, StoreCode::kHalted,
                               StoreCode::kSuspect, StoreCode::kStale, StoreCode::kNotCurrent}) {
    if (word == StoreCodeName(code)) return code;
  }
  return StoreCode::kRefused;
}

StoreReply ReplyOf(const StoreRequest& request, const Result<RedisReply>& result) {
  StoreReply reply;
  if (!result.ok()) {
    // Nothing is known of a command whose answer makes no sense; everything else was not executed.
    const StatusCode code = result.status().code();
    reply.code = OutcomeUnknown(result.status()) || code == StatusCode::kInternal
                     ? StoreCode::kUnknown
                     : StoreCode::kUnavailable;
    reply.detail = result.status().message();
    return reply;
  }
  const std::vector<RedisReply>& items = result->items;
  if (items.size() < 2) return {StoreCode::kUnknown, "a reply without a code", nullptr, {}, {}};
  reply.code = CodeOf(items[0].text);
  reply.detail = items[1].text;
  if (!reply.ok()) return reply;
  if (const auto* acquire = std::get_if<AcquireLease>(&request)) {
    reply.lease = {acquire->token,
                   items.size() > 2 ? std::strtoll(items[2].text.c_str(), nullptr, 10) : 0};
  } else if (std::holds_alternative<ReadJob>(request)) {
    if (const Status status = ReadFacts(items, &reply); !status.ok())
      return {StoreCode::kLost, status.message(), nullptr, {}, {}};
  } else if (items.size() > 2) {
    reply.fields = Fields(items[2]);
  }
  return reply;
}

}  // namespace

RedisJobStore::RedisJobStore(std::unique_ptr<RedisClient> client, std::string base,
                             std::stop_token stop)
    : client_(std::move(client)),
      base_(std::move(base)),
      job_key_(base_ + ":job"),
      stop_(std::move(stop)) {}

// While a Cluster moves the job's slot to another node, some of its keys are there and some here; a
// script that ran on either would take the rest for missing. A node runs no script then of which it
// has only some keys (TRYAGAIN, which the client repeats); the base key never exists, so that this
// holds from the first key moved to the last.
StoreReply RedisJobStore::Call(const StoreRequest& request) {
  const Invocation invocation = std::visit([](const auto& r) { return Of(r); }, request);
  const std::string_view keys[] = {base_, job_key_};
  const std::vector<std::string_view> args(invocation.args.begin(), invocation.args.end());
  return ReplyOf(request, client_->Eval({invocation.script->name, invocation.script->text}, keys,
                                        args, stop_));
}

std::string JobKey(const std::string& ns, const std::string& job, const std::string& job_id) {
  return "mr:{" + ns + "/" + job + "/" + job_id + "}";
}

std::string GroupKey(const std::string& ns, const std::string& job, const std::string& job_id,
                     int group) {
  return "mr:{" + ns + "/" + job + "/" + job_id + "/" + std::to_string(group) + "}";
}

}  // namespace millrace::worker
