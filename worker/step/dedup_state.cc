#include "worker/step/dedup_state.h"

#include <algorithm>

#include "crds/base/wire.h"
#include "worker/data/record_batch.h"
#include "worker/step/step_time.h"

namespace millrace::worker {
namespace {

constexpr uint8_t kVersion = 1;

// |a - b| <= span without overflow.
bool Near(int64_t a, int64_t b, int64_t span) {
  return AddTime(std::min(a, b), span) >= std::max(a, b);
}

}  // namespace

bool DedupState::Keep(uint32_t row, int64_t time) {
  if (row < heads_.size()) {
    for (uint32_t i = heads_[row]; i != kEnd; i = kept_[i].next) {
      if (Near(kept_[i].time, time, within_)) return false;
    }
  }
  Push(row, time);
  changes_.Change(row);
  return true;
}

void DedupState::Push(uint32_t row, int64_t time) {
  if (row >= heads_.size()) heads_.resize(row + 1, kEnd);
  uint32_t slot = static_cast<uint32_t>(kept_.size());
  if (free_.empty()) {
    kept_.push_back({});
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  kept_[slot] = {time, row, heads_[row]};
  heads_[row] = slot;
  due_.Add(AddTime(time, within_), slot);
}

void DedupState::Expire(int64_t now) {
  if (now == kBeginningOfTime) return;
  for (const uint32_t slot : due_.Take(now - 1)) {
    // A slot that restoring freed may have been taken by another record since.
    const Kept& kept = kept_[slot];
    if (kept.row != KeyTable::kNone && AddTime(kept.time, within_) < now) Remove(slot);
  }
  keys_.CompactIfSparse();
}

void DedupState::Remove(uint32_t slot) {
  const uint32_t row = kept_[slot].row;
  uint32_t* link = &heads_[row];
  while (*link != slot) link = &kept_[*link].next;
  *link = kept_[slot].next;
  kept_[slot].row = KeyTable::kNone;
  free_.push_back(slot);
  if (heads_[row] != kEnd) {
    changes_.Change(row);
    return;
  }
  changes_.Erase(keys_.key(row));
  keys_.Erase(row);
}

void DedupState::Encode(bool snapshot, std::string* out) const {
  if (!snapshot && changes_.empty()) return;
  std::vector<uint32_t> rows;
  if (snapshot) {
    for (uint32_t row = 0; row < keys_.row_limit(); ++row) rows.push_back(row);
  } else {
    rows = changes_.rows();
  }
  const auto dead = [&](uint32_t row) { return !keys_.IsLive(row); };
  std::erase_if(rows, dead);
  WireWriter writer(out);
  writer.U8(kVersion);
  writer.U8(snapshot ? 1 : 0);
  writer.Varint(snapshot ? 0 : changes_.erased().size());
  if (!snapshot) {
    for (const std::string& key : changes_.erased()) writer.Bytes(key);
  }
  writer.Varint(rows.size());
  for (const uint32_t row : rows) {
    writer.Bytes(keys_.key(row));
    uint64_t count = 0;
    for (uint32_t i = heads_[row]; i != kEnd; i = kept_[i].next) ++count;
    writer.Varint(count);
    for (uint32_t i = heads_[row]; i != kEnd; i = kept_[i].next) writer.I64(kept_[i].time);
  }
}

Status DedupState::Apply(std::string_view blob) {
  WireReader reader(blob);
  if (reader.U8() != kVersion) return InternalError("dedup state of an unknown format version");
  reader.U8();
  const auto forget = [&](std::string_view key) {
    const uint32_t row = keys_.Find(key, HashKey(key));
    if (row == KeyTable::kNone) return;
    while (keys_.IsLive(row) && heads_[row] != kEnd) Remove(heads_[row]);
  };
  for (uint64_t i = reader.Count(); i > 0 && reader.ok(); --i) forget(reader.Bytes());
  for (uint64_t i = reader.Count(2); i > 0 && reader.ok(); --i) {
    const std::string_view key = reader.Bytes();
    std::vector<int64_t> times(reader.Count(sizeof(int64_t)));
    for (int64_t& time : times) time = reader.I64();
    if (!reader.ok()) break;
    forget(key);
    bool inserted = false;
    const uint32_t row = keys_.FindOrInsert(key, HashKey(key), &inserted);
    for (auto time = times.rbegin(); time != times.rend(); ++time) Push(row, *time);
  }
  return reader.Finish("dedup state");
}

int64_t DedupState::bytes() const {
  return static_cast<int64_t>(keys_.ByteSize() + kept_.size() * sizeof(Kept) +
                              heads_.size() * sizeof(uint32_t));
}

}  // namespace millrace::worker
