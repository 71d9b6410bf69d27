#include "worker/window/group_table.h"

#include "worker/data/record_batch.h"

namespace millrace::worker {

const std::vector<uint32_t>& GroupTable::RowsOf(std::span<const std::string_view> keys) {
  HashKeys(keys, &hashes_);
  return RowsOf(keys, hashes_);
}

const std::vector<uint32_t>& GroupTable::RowsOf(std::span<const std::string_view> keys,
                                                std::span<const uint64_t> hashes) {
  keys_.FindOrInsert(keys, hashes, &rows_);
  values_.Resize(keys_.row_limit());
  return rows_;
}

void GroupTable::Mark(std::span<const uint32_t> rows) {
  changed_.Add(rows);
  unsaved_.Add(rows);
}

Status GroupTable::Merge(std::span<const std::string_view> keys,
                         std::span<const ColumnRef> partials, size_t begin) {
  RowsOf(keys);
  Mark(rows_);
  return values_.Merge(rows_, partials, begin);
}

void GroupTable::FindRowsOf(const GroupTable& other, std::span<const uint32_t> rows) {
  hashes_.resize(rows.size());
  for (size_t i = 0; i < rows.size(); ++i) hashes_[i] = other.keys_.hash(rows[i]);
  RowsOf(other.KeysOf(rows), hashes_);
}

Status GroupTable::MergeRows(const GroupTable& other, std::span<const uint32_t> rows) {
  FindRowsOf(other, rows);
  if (rows.empty()) return OkStatus();
  return values_.Merge(rows_, other.values_.Partials(rows));
}

Status GroupTable::SubtractRows(const GroupTable& other, std::span<const uint32_t> rows) {
  FindRowsOf(other, rows);
  if (rows.empty()) return OkStatus();
  return values_.Subtract(rows_, other.values_.Partials(rows));
}

void GroupTable::Erase(uint32_t row) {
  keys_.Erase(row);
  values_.Reset({&row, 1});
}

std::vector<uint32_t> GroupTable::LiveRows() const {
  std::vector<uint32_t> rows;
  rows.reserve(keys_.size());
  for (uint32_t row = 0; row < keys_.row_limit(); ++row) {
    if (keys_.IsLive(row)) rows.push_back(row);
  }
  return rows;
}

std::vector<uint32_t> GroupTable::LiveOf(const std::vector<uint32_t>& rows) const {
  std::vector<uint32_t> live;
  live.reserve(rows.size());
  for (const uint32_t row : rows) {
    if (keys_.IsLive(row)) live.push_back(row);
  }
  return live;
}

std::vector<std::string_view> GroupTable::KeysOf(std::span<const uint32_t> rows) const {
  std::vector<std::string_view> keys;
  keys.reserve(rows.size());
  for (const uint32_t row : rows) keys.push_back(keys_.key(row));
  return keys;
}

}  // namespace millrace::worker
