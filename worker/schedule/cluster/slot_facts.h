#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "crds/base/clock.h"
#include "crds/base/status.h"

namespace millrace::worker {

// What one slot tells the leader of a batch: the numbers that plans and metrics are made of.
// Encoded form, version 1: see slot_facts.cc.
struct SlotFacts {
  std::vector<std::map<int, TimePoint>>
      event_times;                     // by source: partition -> largest event time, min() for none
  std::vector<int64_t> input_records;  // by source
  int64_t input_bytes = 0;
  int64_t output_records = 0;
  int64_t late_records = 0;
  int64_t bad_records = 0;
  int64_t state_bytes = 0;
  bool holds_state =
      false;  // some keyed unit has keys: a window or timeout may come due without input
  Duration compute{0};
};

std::string EncodeFacts(const SlotFacts& facts);
Result<SlotFacts> DecodeFacts(std::string_view bytes);

}  // namespace millrace::worker
