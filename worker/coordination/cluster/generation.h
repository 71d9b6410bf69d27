#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"

namespace millrace::worker {

// (stage, unit): what assignment, exchange and ledgers talk about; never a worker.
struct TaskId {
  std::string stage;
  int unit = 0;
  auto operator<=>(const TaskId&) const = default;
};

// What a sink's ledgers say: the largest batch delivered, its digest D(b), and the tasks of it
// whose rows are there. Everything below `batch` is delivered whole.
struct Delivered {
  int64_t batch = 0;
  std::string digest;  // D(batch) in hex, or as many of its first digits as the sink keeps
  std::vector<TaskId> tasks;
};

// A member's place in a generation; its index is the slot.
struct Seat {
  std::string member;   // pod name and a random part per process start
  std::string address;  // where it takes messages
  bool operator==(const Seat&) const = default;
};

// One agreement on who works and who owns what (protocol section 5). `name` = "<fence>-<16 hex
// digits>" never repeats, also when the store goes back in time; `fence` grows. Key groups are
// owned by `groups`; input units by OwnerOfInput. Value type.
struct Generation {
  std::string name;
  int64_t fence = 0;
  int64_t epoch = 0;  // of the leader that made it
  std::string spec_hash;
  int64_t first = 0;  // first batch it commits: commit + 1
  bool open = false;  // false: its members are still fencing sinks
  int max_slots = 0;  // most that any generation of the job had: sinks fence so many
  std::vector<Seat> seats;
  std::vector<int> groups;                // key group -> slot
  std::map<std::string, Delivered> skip;  // by sink, known once open

  int slots() const { return static_cast<int>(seats.size()); }
  // -1 when the member has no seat.
  int SlotOf(std::string_view member) const;
};

std::string GenerationName(int64_t fence, uint64_t random);
std::string EncodeGeneration(const Generation& generation);
Result<Generation> DecodeGeneration(std::string_view bytes);

// Key group -> slot for `seats`, every slot within one of groups/slots, moving as few groups as
// that allows away from the members that own them in `previous`. Pure; O(groups + slots). Requires:
// seats is not empty.
std::vector<int> AssignGroups(int groups, const Generation& previous,
                              const std::vector<Seat>& seats);

// Input units hold no state, so they are dealt out in turn; partitions found later have owners too.
inline int OwnerOfInput(const Generation& generation, int source, int partition) {
  return (source + partition) % generation.slots();
}
// The owner of a keyed unit; stages with fewer units than key groups share the owners of the first
// groups.
inline int OwnerOfUnit(const Generation& generation, int unit) {
  return generation.groups[static_cast<size_t>(unit) % generation.groups.size()];
}

}  // namespace millrace::worker
