#include "worker/coordination/cluster/generation.h"

#include <algorithm>
#include <cstdio>
#include <numeric>

#include "crds/base/wire.h"

// Generation, version 1:
//   version:u8 name:bytes fence epoch:varint spec_hash:bytes first:varint open:u8 max_slots:varint
//   seats:varint { member address:bytes } groups:varint { slot:varint }
//   skip:varint { sink:bytes batch:varint digest:bytes tasks:varint { stage:bytes unit:varint } }
namespace millrace::worker {
namespace {

constexpr uint8_t kVersion = 1;

// Key group -> slot of the member that owns it already, -1 where it is gone.
std::vector<int> FormerOwners(int groups, const Generation& previous,
                              const std::vector<Seat>& seats) {
  std::vector<int> owners(groups, -1);
  for (size_t group = 0; group < owners.size() && group < previous.groups.size(); ++group) {
    const std::string& owner = previous.seats[previous.groups[group]].member;
    const auto seat =
        std::find_if(seats.begin(), seats.end(), [&](const Seat& s) { return s.member == owner; });
    if (seat != seats.end()) owners[group] = static_cast<int>(seat - seats.begin());
  }
  return owners;
}

}  // namespace

int Generation::SlotOf(std::string_view member) const {
  for (size_t slot = 0; slot < seats.size(); ++slot) {
    if (seats[slot].member == member) return static_cast<int>(slot);
  }
  return -1;
}

std::string GenerationName(int64_t fence, uint64_t random) {
  char text[48];
  std::snprintf(text, sizeof text, "%lld-%016llx", static_cast<long long>(fence),
                static_cast<unsigned long long>(random));
  return text;
}

std::string EncodeGeneration(const Generation& generation) {
  std::string bytes;
  WireWriter out(&bytes);
  out.U8(kVersion);
  out.Bytes(generation.name);
  out.Varint(generation.fence);
  out.Varint(generation.epoch);
  out.Bytes(generation.spec_hash);
  out.Varint(generation.first);
  out.U8(generation.open ? 1 : 0);
  out.Varint(generation.max_slots);
  out.Varint(generation.seats.size());
  for (const Seat& seat : generation.seats) {
    out.Bytes(seat.member);
    out.Bytes(seat.address);
  }
  out.Varint(generation.groups.size());
  for (const int slot : generation.groups) out.Varint(slot);
  out.Varint(generation.skip.size());
  for (const auto& [sink, skip] : generation.skip) {
    out.Bytes(sink);
    out.Varint(skip.batch);
    out.Bytes(skip.digest);
    out.Varint(skip.tasks.size());
    for (const TaskId& task : skip.tasks) {
      out.Bytes(task.stage);
      out.Varint(task.unit);
    }
  }
  return bytes;
}

Result<Generation> DecodeGeneration(std::string_view bytes) {
  WireReader in(bytes);
  Generation generation;
  if (const uint8_t version = in.U8(); in.ok() && version != kVersion) {
    return InternalError("generation has format version " + std::to_string(version) +
                         ", this build reads version 1");
  }
  generation.name = in.Bytes();
  generation.fence = static_cast<int64_t>(in.Varint());
  generation.epoch = static_cast<int64_t>(in.Varint());
  generation.spec_hash = in.Bytes();
  generation.first = static_cast<int64_t>(in.Varint());
  generation.open = in.U8() != 0;
  generation.max_slots = static_cast<int>(in.Varint());
  for (uint64_t n = in.Count(2); n > 0; --n) {
    Seat& seat = generation.seats.emplace_back();
    seat.member = in.Bytes();
    seat.address = in.Bytes();
  }
  for (uint64_t n = in.Count(1); n > 0; --n)
    generation.groups.push_back(static_cast<int>(in.Varint()));
  for (uint64_t n = in.Count(4); n > 0; --n) {
    Delivered& skip = generation.skip[std::string(in.Bytes())];
    skip.batch = static_cast<int64_t>(in.Varint());
    skip.digest = in.Bytes();
    for (uint64_t tasks = in.Count(2); tasks > 0; --tasks) {
      TaskId& task = skip.tasks.emplace_back();
      task.stage = in.Bytes();
      task.unit = static_cast<int>(in.Varint());
    }
  }
  const bool whole =
      in.ok() && std::all_of(generation.groups.begin(), generation.groups.end(),
                             [&](int slot) { return slot >= 0 && slot < generation.slots(); });
  if (!whole) return InternalError("generation record is damaged");
  return generation;
}

std::vector<int> AssignGroups(int groups, const Generation& previous,
                              const std::vector<Seat>& seats) {
  const int slots = static_cast<int>(seats.size());
  std::vector<int> owners = FormerOwners(groups, previous, seats);
  std::vector<int> kept(slots);
  for (const int owner : owners) {
    if (owner >= 0) ++kept[owner];
  }
  // The remainder goes to those that hold most already.
  std::vector<int> order(slots);
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return kept[a] > kept[b]; });
  std::vector<int> room(slots, groups / slots);
  for (int i = 0; i < groups % slots; ++i) ++room[order[i]];
  for (int& owner : owners) {
    if (owner >= 0 && room[owner]-- <= 0) owner = -1;
  }
  int slot = 0;
  for (int& owner : owners) {
    if (owner >= 0) continue;
    while (room[slot] <= 0) ++slot;
    owner = slot;
    --room[slot];
  }
  return owners;
}

}  // namespace millrace::worker
