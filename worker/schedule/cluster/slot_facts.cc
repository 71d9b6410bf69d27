#include "worker/schedule/cluster/slot_facts.h"

#include "crds/base/wire.h"

// Facts, version 1:
//   version:u8 sources:varint { times:varint { partition:varint time:i64(us) } records:varint }
//   input_bytes output late bad state_bytes:varint holds_state:u8 compute:i64(us)
namespace millrace::worker {
namespace {

constexpr uint8_t kVersion = 1;

}  // namespace

std::string EncodeFacts(const SlotFacts& facts) {
  std::string bytes;
  WireWriter out(&bytes);
  out.U8(kVersion);
  out.Varint(facts.event_times.size());
  for (size_t i = 0; i < facts.event_times.size(); ++i) {
    out.Varint(facts.event_times[i].size());
    for (const auto& [partition, time] : facts.event_times[i]) {
      out.Varint(partition);
      out.I64(time.time_since_epoch().count());
    }
    out.Varint(facts.input_records[i]);
  }
  for (const int64_t number : {facts.input_bytes, facts.output_records, facts.late_records,
                               facts.bad_records, facts.state_bytes})
    out.Varint(number);
  out.U8(facts.holds_state ? 1 : 0);
  out.I64(facts.compute.count());
  return bytes;
}

Result<SlotFacts> DecodeFacts(std::string_view bytes) {
  WireReader in(bytes);
  SlotFacts facts;
  if (in.U8() != kVersion)
    return InternalError("a worker's batch facts have another format version");
  for (uint64_t n = in.Count(2); n > 0; --n) {
    std::map<int, TimePoint>& times = facts.event_times.emplace_back();
    for (uint64_t count = in.Count(9); count > 0; --count) {
      const int partition = static_cast<int>(in.Varint());
      times[partition] = TimePoint(Duration(in.I64()));
    }
    facts.input_records.push_back(static_cast<int64_t>(in.Varint()));
  }
  for (int64_t* number : {&facts.input_bytes, &facts.output_records, &facts.late_records,
                          &facts.bad_records, &facts.state_bytes}) {
    *number = static_cast<int64_t>(in.Varint());
  }
  facts.holds_state = in.U8() != 0;
  facts.compute = Duration(in.I64());
  RETURN_IF_ERROR(in.Finish("batch facts"));
  return facts;
}

}  // namespace millrace::worker
