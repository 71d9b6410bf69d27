#include "worker/step/join_side.h"

#include <algorithm>
#include <utility>

namespace millrace::worker {
namespace {

constexpr const char* kSeqField = "__seq";
constexpr const char* kTimeField = "__time";
constexpr const char* kMatchedField = "__matched";

template <typename T>
void Regroup(const std::vector<uint32_t>& new_ids, size_t live, std::vector<T>* values) {
  std::vector<T> kept(live);
  for (size_t id = 0; id < new_ids.size(); ++id) {
    if (new_ids[id] != kNoRow) kept[new_ids[id]] = (*values)[id];
  }
  *values = std::move(kept);
}

void PutNumbers(const std::vector<uint64_t>& numbers, WireWriter* writer) {
  writer->Varint(numbers.size());
  for (const uint64_t number : numbers) writer->Varint(number);
}

}  // namespace

uint32_t JoinSide::First(uint32_t key) {
  if (key >= heads_.size()) return kNoRow;
  uint32_t& head = heads_[key];
  while (head != kNoRow && !rows_.IsLive(head)) head = next_[head];
  if (head == kNoRow) tails_[key] = kNoRow;
  return head;
}

uint32_t JoinSide::Next(uint32_t id) const {
  do {
    id = next_[id];
  } while (id != kNoRow && !rows_.IsLive(id));
  return id;
}

void JoinSide::Link(uint32_t id) {
  const uint32_t key = key_rows_[id];
  if (key == kNoRow) return;
  if (key >= heads_.size()) {
    heads_.resize(key + 1, kNoRow);
    tails_.resize(key + 1, kNoRow);
  }
  if (tails_[key] == kNoRow) {
    heads_[key] = id;
  } else {
    next_[tails_[key]] = id;
  }
  tails_[key] = id;
}

void JoinSide::Add(const RecordBatch& rows, std::span<const int64_t> times,
                   std::span<const uint32_t> keys) {
  auto id = static_cast<uint32_t>(rows_.size());
  rows_.Append(rows);
  times_.insert(times_.end(), times.begin(), times.end());
  key_rows_.insert(key_rows_.end(), keys.begin(), keys.end());
  next_.resize(rows_.size(), kNoRow);
  matched_.resize(rows_.size(), 0);
  for (size_t i = 0; i < rows.num_rows(); ++i, ++id) {
    seqs_.push_back(next_seq_++);
    Link(id);
  }
}

std::vector<uint32_t> JoinSide::TakeDue(int64_t now) {
  std::vector<uint32_t> ids = due_.Take(now);
  std::erase_if(ids, [&](uint32_t id) { return !rows_.IsLive(id); });
  std::sort(ids.begin(), ids.end());
  return ids;
}

void JoinSide::Mark(uint32_t id) {
  if (matched_[id] != 0) return;
  matched_[id] = 1;
  if (seqs_[id] < settled_) marked_.push_back(seqs_[id]);
}

void JoinSide::Remove(uint32_t id) {
  rows_.Kill(id);
  if (seqs_[id] < settled_) removed_.push_back(seqs_[id]);
}

void JoinSide::DropChain(uint32_t key) {
  if (key < heads_.size()) heads_[key] = tails_[key] = kNoRow;
}

void JoinSide::Compact() {
  const std::vector<uint32_t> new_ids = rows_.Compact();
  Regroup(new_ids, rows_.size(), &seqs_);
  Regroup(new_ids, rows_.size(), &times_);
  Regroup(new_ids, rows_.size(), &matched_);
  Regroup(new_ids, rows_.size(), &key_rows_);
  next_.assign(rows_.size(), kNoRow);
  std::fill(heads_.begin(), heads_.end(), kNoRow);
  std::fill(tails_.begin(), tails_.end(), kNoRow);
  for (uint32_t id = 0; id < rows_.size(); ++id) Link(id);
  due_.Clear();
}

SchemaRef JoinSide::StoredSchema() const {
  Schema schema = *rows_.schema();
  schema.Set({kSeqField, Type(Kind::kUint)});
  schema.Set({kTimeField, Type(Kind::kInt)});
  schema.Set({kMatchedField, Type(Kind::kBool)});
  return std::make_shared<Schema>(std::move(schema));
}

void JoinSide::Encode(bool snapshot, WireWriter* writer) const {
  PutNumbers(snapshot ? std::vector<uint64_t>() : removed_, writer);
  PutNumbers(snapshot ? std::vector<uint64_t>() : marked_, writer);
  std::vector<uint32_t> ids;
  const uint64_t first = snapshot ? 0 : settled_;
  const auto begin = std::lower_bound(seqs_.begin(), seqs_.end(), first) - seqs_.begin();
  for (auto id = static_cast<uint32_t>(begin); id < rows_.size(); ++id) {
    if (rows_.IsLive(id)) ids.push_back(id);
  }
  auto seqs = std::make_shared<Column>(Type(Kind::kUint));
  auto times = std::make_shared<Column>(Type(Kind::kInt));
  auto matched = std::make_shared<Column>(Type(Kind::kBool));
  for (const uint32_t id : ids) {
    seqs->AppendUint(seqs_[id]);
    times->AppendInt(times_[id]);
    matched->AppendBool(matched_[id] != 0);
  }
  std::vector<ColumnRef> columns = rows_.Gather(ids).columns();
  columns.insert(columns.end(), {seqs, times, matched});
  std::string encoded;
  EncodeBatch(RecordBatch(StoredSchema(), std::move(columns), ids.size()), &encoded);
  writer->Bytes(encoded);
}

uint32_t JoinSide::Find(uint64_t seq) const {
  const auto it = std::lower_bound(seqs_.begin(), seqs_.end(), seq);
  if (it == seqs_.end() || *it != seq) return kNoRow;
  return static_cast<uint32_t>(it - seqs_.begin());
}

Status JoinSide::Decode(WireReader* reader, std::vector<uint32_t>* removed, RecordBatch* stored) {
  for (uint64_t i = reader->Count(); i > 0 && reader->ok(); --i) {
    const uint32_t id = Find(reader->Varint());
    if (id != kNoRow && rows_.IsLive(id)) removed->push_back(id);
  }
  for (uint64_t i = reader->Count(); i > 0 && reader->ok(); --i) {
    const uint32_t id = Find(reader->Varint());
    if (id != kNoRow) matched_[id] = 1;
  }
  const std::string_view encoded = reader->Bytes();
  if (!reader->ok()) return InternalError("corrupt join state");
  ASSIGN_OR_RETURN(*stored, DecodeBatch(encoded));
  if (stored->schema() == *StoredSchema()) return OkStatus();
  return InternalError("stored join state has other fields than the stream: " +
                       stored->schema().ToString());
}

RecordBatch JoinSide::RowsOf(const RecordBatch& stored) const {
  std::vector<ColumnRef> columns(stored.columns().begin(), stored.columns().end() - 3);
  return RecordBatch(rows_.schema(), std::move(columns), stored.num_rows());
}

void JoinSide::AddStored(const RecordBatch& stored, std::span<const uint32_t> keys) {
  const size_t fields = rows_.schema()->size();
  const auto first = static_cast<uint32_t>(rows_.size());
  Add(RowsOf(stored), stored.column(fields + 1).ints, keys);
  for (size_t i = 0; i < stored.num_rows(); ++i) {
    seqs_[first + i] = stored.column(fields).uints[i];
    matched_[first + i] = stored.column(fields + 2).bools[i];
  }
  if (stored.num_rows() > 0) next_seq_ = seqs_.back() + 1;
}

void JoinSide::Settle() {
  settled_ = next_seq_;
  removed_.clear();
  marked_.clear();
}

int64_t JoinSide::bytes() const {
  constexpr size_t kBytesPerRow = 8 + 8 + 1 + 4 + 4;
  return static_cast<int64_t>(rows_.ByteSize() + rows_.size() * kBytesPerRow +
                              heads_.size() * 2 * sizeof(uint32_t));
}

}  // namespace millrace::worker
