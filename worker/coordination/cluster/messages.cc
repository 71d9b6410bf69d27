#include "worker/coordination/cluster/messages.h"

#include "crds/base/wire.h"

// Message, version 1:  version:u8 kind:u8 member address:bytes body
// The body of a kind is its fields in the order of the struct; strings and nested records as bytes,
// numbers as varints; RangeRecords: source partition records:varint. CommitHead: batch:varint
// digest generation record:bytes reports delivering:varint. PlanEntry: batch:varint digest
// spec_hash bytes:bytes.
namespace millrace::worker {
namespace {

constexpr uint8_t kVersion = 1;

void Put(WireWriter& out, const CommitHead& commit) {
  out.Varint(commit.batch);
  out.Bytes(commit.digest);
  out.Bytes(commit.generation);
  out.Bytes(commit.record);
  out.Varint(commit.reports);
  out.Varint(commit.delivering);
}
void Put(WireWriter& out, const GenerationMade& body) {
  out.Bytes(EncodeGeneration(body.generation));
  Put(out, body.commit);
}
void Put(WireWriter& out, const GenerationOpened& body) {
  out.Bytes(EncodeGeneration(body.generation));
}
void Put(WireWriter& out, const RunBatch& body) {
  out.Bytes(body.generation);
  out.Varint(body.plan.batch);
  out.Bytes(body.plan.digest);
  out.Bytes(body.plan.spec_hash);
  out.Bytes(body.plan.bytes);
}
void Put(WireWriter& out, const DeliverBatch& body) {
  out.Bytes(body.generation);
  Put(out, body.commit);
  out.Varint(body.batch);
}
void Put(WireWriter& out, const BatchCommitted& body) {
  out.Bytes(body.generation);
  Put(out, body.commit);
}
void Put(WireWriter&, const LeaseFreed&) {}
void Put(WireWriter& out, const ReadyToRun& body) {
  out.Bytes(body.generation);
  out.Varint(body.slot);
}
void Put(WireWriter& out, const BatchComputed& body) {
  out.Bytes(body.generation);
  out.Varint(body.slot);
  out.Varint(body.batch);
}
void Put(WireWriter& out, const BatchPrepared& body) {
  out.Bytes(body.generation);
  out.Varint(body.slot);
  out.Varint(body.batch);
  out.Bytes(body.facts);
}
void Put(WireWriter& out, const TaskFailed& body) {
  out.Bytes(body.generation);
  out.Varint(body.slot);
  out.Varint(body.batch);
  out.U8(static_cast<uint8_t>(body.code));
  out.Bytes(body.text);
}
void Put(WireWriter&, const MemberLeaving&) {}
void Put(WireWriter& out, const RollCall& body) {
  out.Varint(body.epoch);
  out.Varint(body.number);
}
void Put(WireWriter& out, const Present& body) {
  out.Varint(body.epoch);
  out.Varint(body.number);
}
void Put(WireWriter& out, const std::vector<RangeRecords>& ranges) {
  out.Varint(ranges.size());
  for (const RangeRecords& range : ranges) {
    out.Varint(range.source);
    out.Varint(range.partition);
    out.Varint(range.records);
  }
}
void Put(WireWriter& out, const ProbeBatch& body) {
  Put(out, RunBatch{body.generation, body.plan});
  out.U8(body.count ? 1 : 0);
  Put(out, body.limits);
}
void Put(WireWriter& out, const BatchProbed& body) {
  out.Bytes(body.generation);
  out.Varint(body.slot);
  Put(out, body.counts);
}

int64_t Number(WireReader& in) { return static_cast<int64_t>(in.Varint()); }

void Get(WireReader& in, CommitHead* commit) {
  commit->batch = Number(in);
  commit->digest = in.Bytes();
  commit->generation = in.Bytes();
  commit->record = in.Bytes();
  commit->reports = Number(in);
  commit->delivering = Number(in);
}
Status Get(WireReader& in, Generation* generation) {
  ASSIGN_OR_RETURN(*generation, DecodeGeneration(in.Bytes()));
  return OkStatus();
}
Status Get(WireReader& in, GenerationMade* body) {
  RETURN_IF_ERROR(Get(in, &body->generation));
  Get(in, &body->commit);
  return OkStatus();
}
Status Get(WireReader& in, GenerationOpened* body) { return Get(in, &body->generation); }
Status Get(WireReader& in, RunBatch* body) {
  body->generation = in.Bytes();
  body->plan.batch = Number(in);
  body->plan.digest = in.Bytes();
  body->plan.spec_hash = in.Bytes();
  body->plan.bytes = in.Bytes();
  return OkStatus();
}
Status Get(WireReader& in, DeliverBatch* body) {
  body->generation = in.Bytes();
  Get(in, &body->commit);
  body->batch = Number(in);
  return OkStatus();
}
Status Get(WireReader& in, BatchCommitted* body) {
  body->generation = in.Bytes();
  Get(in, &body->commit);
  return OkStatus();
}
Status Get(WireReader&, LeaseFreed*) { return OkStatus(); }
Status Get(WireReader& in, ReadyToRun* body) {
  body->generation = in.Bytes();
  body->slot = static_cast<int>(in.Varint());
  return OkStatus();
}
Status Get(WireReader& in, BatchComputed* body) {
  body->generation = in.Bytes();
  body->slot = static_cast<int>(in.Varint());
  body->batch = Number(in);
  return OkStatus();
}
Status Get(WireReader& in, BatchPrepared* body) {
  body->generation = in.Bytes();
  body->slot = static_cast<int>(in.Varint());
  body->batch = Number(in);
  body->facts = in.Bytes();
  return OkStatus();
}
Status Get(WireReader& in, TaskFailed* body) {
  body->generation = in.Bytes();
  body->slot = static_cast<int>(in.Varint());
  body->batch = Number(in);
  const uint8_t code = in.U8();
  if (code == 0 || code > static_cast<uint8_t>(StatusCode::kInternal))
    return InternalError("unknown status code " + std::to_string(code));
  body->code = static_cast<StatusCode>(code);
  body->text = in.Bytes();
  return OkStatus();
}
Status Get(WireReader&, MemberLeaving*) { return OkStatus(); }
Status Get(WireReader& in, RollCall* body) {
  body->epoch = Number(in);
  body->number = Number(in);
  return OkStatus();
}
Status Get(WireReader& in, Present* body) {
  body->epoch = Number(in);
  body->number = Number(in);
  return OkStatus();
}
void Get(WireReader& in, std::vector<RangeRecords>* ranges) {
  for (uint64_t n = in.Count(3); n > 0; --n) {
    RangeRecords& range = ranges->emplace_back();
    range.source = static_cast<int>(in.Varint());
    range.partition = static_cast<int>(in.Varint());
    range.records = Number(in);
  }
}
Status Get(WireReader& in, ProbeBatch* body) {
  RunBatch run;
  RETURN_IF_ERROR(Get(in, &run));
  body->generation = std::move(run.generation);
  body->plan = std::move(run.plan);
  body->count = in.U8() != 0;
  Get(in, &body->limits);
  return OkStatus();
}
Status Get(WireReader& in, BatchProbed* body) {
  body->generation = in.Bytes();
  body->slot = static_cast<int>(in.Varint());
  Get(in, &body->counts);
  return OkStatus();
}

using Body = decltype(Message::body);

template <size_t kKind = 0>
Status GetBody(size_t kind, WireReader& in, Body* body) {
  if constexpr (kKind == std::variant_size_v<Body>) {
    return InternalError("message of unknown kind " + std::to_string(kind));
  } else {
    if (kind != kKind) return GetBody<kKind + 1>(kind, in, body);
    return Get(in, &body->emplace<kKind>());
  }
}

}  // namespace

std::string EncodeMessage(const Message& message) {
  std::string bytes;
  WireWriter out(&bytes);
  out.U8(kVersion);
  out.U8(static_cast<uint8_t>(message.body.index()));
  out.Bytes(message.member);
  out.Bytes(message.address);
  std::visit([&](const auto& body) { Put(out, body); }, message.body);
  return bytes;
}

Result<Message> DecodeMessage(std::string_view bytes) {
  WireReader in(bytes);
  if (const uint8_t version = in.U8(); in.ok() && version != kVersion) {
    return InternalError("message has format version " + std::to_string(version) +
                         ", this build reads version 1");
  }
  const size_t kind = in.U8();
  Message message;
  message.member = in.Bytes();
  message.address = in.Bytes();
  if (!in.ok()) return InternalError("message is cut short");
  const Status status = GetBody(kind, in, &message.body);
  if (!status.ok()) return status;
  if (!in.ok()) return InternalError("message is cut short");
  return message;
}

}  // namespace millrace::worker
