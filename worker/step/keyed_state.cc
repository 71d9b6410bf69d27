#include "worker/step/keyed_state.h"

#include <algorithm>
#include <utility>

#include "crds/base/wire.h"
#include "worker/step/column_tools.h"
#include "worker/step/step_time.h"

namespace millrace::worker {
namespace {

constexpr uint8_t kVersion = 1;
constexpr uint8_t kSnapshotFlag = 1;
constexpr uint8_t kInitializedFlag = 2;
constexpr std::string_view kKeyField = "__key";
constexpr std::string_view kDueField = "__due";

SchemaRef StoredSchema(const Schema& state) {
  Schema schema = state;
  schema.Set({std::string(kKeyField), Type(Kind::kBytes)});
  schema.Set({std::string(kDueField), Type(Kind::kInt)});
  return std::make_shared<Schema>(std::move(schema));
}

}  // namespace

KeyedState::KeyedState(const RecordBatch& init, int64_t due_width)
    : store_(init.schema_ref()), queue_(due_width) {
  store_.Append(init);
}

void KeyedState::Grow() {
  slots_.resize(keys_.row_limit(), kInitSlot);
  dues_.resize(keys_.row_limit(), kEndOfTime);
  queued_.resize(keys_.row_limit(), kEndOfTime);
}

RecordBatch KeyedState::Read(const std::vector<uint32_t>& keys) const {
  std::vector<uint32_t> slots(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) slots[i] = slots_[keys[i]];
  return store_.Gather(slots);
}

void KeyedState::Write(const std::vector<uint32_t>& keys, const RecordBatch& states) {
  auto slot = static_cast<uint32_t>(store_.size());
  store_.Append(states);
  for (const uint32_t key : keys) {
    if (slots_[key] != kInitSlot) store_.Kill(slots_[key]);
    slots_[key] = slot++;
    changes_.Change(key);
  }
}

void KeyedState::Clear(uint32_t key) {
  if (slots_[key] == kInitSlot) return;
  store_.Kill(slots_[key]);
  slots_[key] = kInitSlot;
  dues_[key] = kEndOfTime;
}

void KeyedState::Forget(uint32_t key) {
  changes_.Erase(keys_.key(key));
  keys_.Erase(key);
}

void KeyedState::SetDue(uint32_t key, int64_t due) {
  dues_[key] = due;
  changes_.Change(key);
  if (due >= queued_[key]) return;
  queued_[key] = due;
  queue_.Add(due, key);
}

std::vector<uint32_t> KeyedState::TakeDue(int64_t now) {
  std::vector<uint32_t> taken = queue_.Take(now);
  std::sort(taken.begin(), taken.end());
  taken.erase(std::unique(taken.begin(), taken.end()), taken.end());
  std::vector<uint32_t> due;
  for (const uint32_t key : taken) {
    queued_[key] = kEndOfTime;
    if (!keys_.IsLive(key) || !IsPresent(key) || dues_[key] == kEndOfTime) continue;
    if (dues_[key] <= now) {
      due.push_back(key);
    } else {
      queued_[key] = dues_[key];
      queue_.Add(dues_[key], key);
    }
  }
  return due;
}

void KeyedState::Tidy() {
  if (store_.sparse()) {
    const std::vector<uint32_t> new_ids = store_.Compact();
    for (uint32_t& slot : slots_) slot = new_ids[slot];
  }
  keys_.CompactIfSparse();
}

void KeyedState::SetInitialized() {
  initialized_ = true;
  initialized_changed_ = true;
}

RecordBatch KeyedState::EncodedRows(const std::vector<uint32_t>& keys) const {
  const RecordBatch states = Read(keys);
  auto key_column = std::make_shared<Column>(Type(Kind::kBytes));
  auto due_column = std::make_shared<Column>(Type(Kind::kInt));
  for (const uint32_t key : keys) {
    key_column->AppendView(keys_.key(key));
    due_column->AppendInt(dues_[key]);
  }
  std::vector<ColumnRef> columns = states.columns();
  columns.push_back(std::move(key_column));
  columns.push_back(std::move(due_column));
  return RecordBatch(StoredSchema(*store_.schema()), std::move(columns), keys.size());
}

void KeyedState::Encode(bool snapshot, std::string* out) const {
  if (!snapshot && changes_.empty() && !initialized_changed_) return;
  std::vector<uint32_t> keys;
  if (snapshot) {
    for (uint32_t key = 0; key < keys_.row_limit(); ++key) keys.push_back(key);
  } else {
    keys = changes_.rows();
  }
  std::erase_if(keys, [&](uint32_t key) { return !keys_.IsLive(key) || !IsPresent(key); });
  WireWriter writer(out);
  writer.U8(kVersion);
  writer.U8((snapshot ? kSnapshotFlag : 0) | (initialized_ ? kInitializedFlag : 0));
  const std::vector<std::string> none;
  const std::vector<std::string>& erased = snapshot ? none : changes_.erased();
  writer.Varint(erased.size());
  for (const std::string& key : erased) writer.Bytes(key);
  std::string rows;
  EncodeBatch(EncodedRows(keys), &rows);
  writer.Bytes(rows);
}

void KeyedState::Put(std::string_view key, uint32_t slot, int64_t due) {
  bool inserted = false;
  const uint32_t row = keys_.FindOrInsert(key, HashKey(key), &inserted);
  Grow();
  if (slots_[row] != kInitSlot) store_.Kill(slots_[row]);
  slots_[row] = slot;
  if (inserted) queued_[row] = kEndOfTime;
  SetDue(row, due);
}

Status KeyedState::Apply(std::string_view blob) {
  WireReader reader(blob);
  if (reader.U8() != kVersion) return InternalError("keyed state of an unknown format version");
  if ((reader.U8() & kInitializedFlag) != 0) initialized_ = true;
  for (uint64_t i = reader.Count(); i > 0 && reader.ok(); --i) {
    const std::string_view key = reader.Bytes();
    const uint32_t row = keys_.Find(key, HashKey(key));
    if (row == KeyTable::kNone) continue;
    Clear(row);
    keys_.Erase(row);
  }
  const std::string_view encoded = reader.Bytes();
  RETURN_IF_ERROR(reader.Finish("keyed state"));
  ASSIGN_OR_RETURN(const RecordBatch rows, DecodeBatch(encoded));
  if (rows.schema() != *StoredSchema(*store_.schema())) {
    return InternalError("stored state has other fields than the step: " +
                         rows.schema().ToString());
  }
  const size_t fields = store_.schema()->size();
  auto slot = static_cast<uint32_t>(store_.size());
  std::vector<ColumnRef> states(rows.columns().begin(), rows.columns().end() - 2);
  store_.Append(RecordBatch(store_.schema(), std::move(states), rows.num_rows()));
  for (size_t i = 0; i < rows.num_rows(); ++i) {
    Put(rows.column(fields).strings[i], slot++, rows.column(fields + 1).ints[i]);
  }
  return OkStatus();
}

void KeyedState::Settle() {
  changes_.Clear();
  initialized_changed_ = false;
}

int64_t KeyedState::bytes() const {
  return static_cast<int64_t>(keys_.ByteSize() + store_.ByteSize() +
                              slots_.size() * (sizeof(uint32_t) + 2 * sizeof(int64_t)));
}

}  // namespace millrace::worker
