#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "worker/state/key_table.h"
#include "worker/step/change_set.h"
#include "worker/step/due_queue.h"
#include "worker/step/row_store.h"

namespace millrace::worker {

// Keys with one state row and one due time each: what a `state` step remembers of one key group.
// Keys are named by their row in keys(). A key without state is absent: it has no state yet, or
// lost it in this batch. Thread-compatible.
class KeyedState {
 public:
  // `init`: one row, the state of absent keys. `due_width`: granularity of the due queue in
  // microseconds.
  KeyedState(const RecordBatch& init, int64_t due_width);

  KeyTable& keys() { return keys_; }
  const KeyTable& keys() const { return keys_; }
  // Makes room for all rows of keys().
  void Grow();
  bool IsPresent(uint32_t key) const { return slots_[key] != kInitSlot; }
  int64_t due(uint32_t key) const { return dues_[key]; }

  // Current states of the keys, absent ones as `init`.
  RecordBatch Read(const std::vector<uint32_t>& keys) const;
  // States after a wave: row i of `states` becomes that of keys[i]. Requires: no key twice.
  void Write(const std::vector<uint32_t>& keys, const RecordBatch& states);
  // The key is absent from now on; it stays in keys() until Forget.
  void Clear(uint32_t key);
  // Removes an absent key.
  void Forget(uint32_t key);
  void SetDue(uint32_t key, int64_t due);
  // Present keys that are due at or before `now`, each once. They must be cleared or put back with
  // SetDue.
  std::vector<uint32_t> TakeDue(int64_t now);
  int64_t next_due() const { return queue_.next(); }
  // Gives back the memory of overwritten states when that pays.
  void Tidy();

  bool initialized() const { return initialized_; }
  void SetInitialized();

  // Format 1: u8 version, u8 flags (1 snapshot, 2 initialised), keys that left (count, bytes each),
  // a RecordBatch of the state fields,
  // __key and __due as bytes.
  void Encode(bool snapshot, std::string* out) const;
  Status Apply(std::string_view blob);
  void Settle();
  int64_t bytes() const;

 private:
  static constexpr uint32_t kInitSlot = 0;  // row of `init` in the store
  void Put(std::string_view key, uint32_t slot, int64_t due);
  RecordBatch EncodedRows(const std::vector<uint32_t>& keys) const;

  KeyTable keys_;
  RowStore store_;
  std::vector<uint32_t> slots_;  // by key: row in the store
  std::vector<int64_t> dues_;    // by key; end of time: never
  std::vector<int64_t> queued_;  // by key: earliest entry in the queue
  DueQueue queue_;
  ChangeSet changes_;
  bool initialized_ = false;
  bool initialized_changed_ = false;
};

}  // namespace millrace::worker
