#include "worker/step/top_table.h"

#include <algorithm>

namespace millrace::worker {
namespace {

// Garbage below this is not worth a copy.
constexpr size_t kMinGarbage = 1024;
// Offers after which strings are copied out of the batches they came in.
constexpr int kMaxOffers = 64;

}  // namespace

TopTable::TopTable(const TopOrder* order) : order_(order) {
  for (const Field& field : order->row_schema->fields()) {
    columns_.push_back(std::make_shared<Column>(field.type));
  }
}

int TopTable::Compare(const RecordBatch& rows, size_t i, uint32_t stored) const {
  for (size_t c = 0; c < order_->descending.size(); ++c) {
    const size_t column = order_->order_begin() + c;
    const int order = CompareRows(rows.column(column), i, *columns_[column], stored);
    if (order != 0) return order_->descending[c] != 0 ? -order : order;
  }
  return 0;
}

int CompareRank(const TopOrder& order, std::span<const ColumnPtr> a, uint32_t row_a,
                std::span<const ColumnPtr> b, uint32_t row_b) {
  for (size_t c = 0; c < order.descending.size(); ++c) {
    const size_t column = order.order_begin() + c;
    const int result = CompareRows(*a[column], row_a, *b[column], row_b);
    if (result != 0) return order.descending[c] != 0 ? -result : result;
  }
  return 0;
}

uint32_t TopTable::Append(const RecordBatch& rows, size_t i) {
  for (size_t c = 0; c < columns_.size(); ++c) columns_[c]->AppendFrom(rows.column(c), i);
  ++live_;
  return static_cast<uint32_t>(stored_++);
}

// Drops what is behind `limit`, but with ties what equals the last that counts.
void TopTable::Cut(std::vector<uint32_t>* list) {
  size_t keep = std::min(list->size(), order_->limit);
  while (order_->ties && keep < list->size() &&
         CompareRank(*order_, columns_, (*list)[keep], columns_, (*list)[order_->limit - 1]) == 0) {
    ++keep;
  }
  live_ -= list->size() - keep;
  list->resize(keep);
}

// True when the row is among the best.
bool TopTable::OfferOne(std::vector<uint32_t>* list, const RecordBatch& rows, size_t i) {
  if (list->size() >= order_->limit) {
    const int order = Compare(rows, i, list->back());
    if (order > 0 || (order == 0 && !order_->ties)) return false;
  }
  // Behind all rows that are as good: those came earlier.
  const auto at = std::partition_point(
      list->begin(), list->end(), [&](uint32_t stored) { return Compare(rows, i, stored) >= 0; });
  list->insert(at, Append(rows, i));
  Cut(list);
  return true;
}

Status TopTable::Offer(std::span<const std::string_view> keys, const RecordBatch& rows,
                       size_t begin) {
  std::vector<uint64_t> hashes(keys.size());
  for (size_t i = 0; i < keys.size(); ++i) hashes[i] = HashKey(keys[i]);
  std::vector<uint32_t> key_rows;
  keys_.FindOrInsert(keys, hashes, &key_rows);
  if (lists_.size() < keys_.row_limit()) lists_.resize(keys_.row_limit());
  for (size_t i = 0; i < keys.size(); ++i) {
    std::vector<uint32_t>& list = lists_[key_rows[i]];
    if (!OfferOne(&list, rows, begin + i)) continue;
    changed_.Add(key_rows[i]);
    unsaved_.Add(key_rows[i]);
    if (list.size() <= order_->limit + kMaxTies) continue;
    failed_key_ = keys[i];
    return InvalidError("more than " + std::to_string(kMaxTies) +
                        " rows equal the last of the top: order by more fields, or drop ties");
  }
  ++offers_;
  return OkStatus();
}

void TopTable::EmptyKey(uint32_t key_row) {
  live_ -= lists_[key_row].size();
  lists_[key_row].clear();
  changed_.Add(key_row);
  unsaved_.Add(key_row);
}

void TopTable::EraseKey(std::string_view key) {
  const uint32_t row = keys_.Find(key, HashKey(key));
  if (row == KeyTable::kNone) return;
  live_ -= lists_[row].size();
  lists_[row].clear();
  keys_.Erase(row);
}

void TopTable::Restore(std::string_view key, const RecordBatch& rows, size_t i) {
  bool inserted = false;
  const uint32_t row = keys_.FindOrInsert(key, HashKey(key), &inserted);
  if (lists_.size() < keys_.row_limit()) lists_.resize(keys_.row_limit());
  lists_[row].push_back(Append(rows, i));
}

RecordBatch TopTable::Rows(std::span<const uint32_t> rows) const {
  std::vector<ColumnRef> columns;
  for (const ColumnPtr& column : columns_) columns.push_back(Gather(*column, rows));
  return {order_->row_schema, std::move(columns), rows.size()};
}

void TopTable::CompactIfSparse() {
  keys_.CompactIfSparse();
  const bool sparse = stored_ - live_ > std::max(live_, kMinGarbage);
  if (!sparse && offers_ < kMaxOffers) return;
  std::vector<uint32_t> order;
  order.reserve(live_);
  for (std::vector<uint32_t>& list : lists_) {
    for (uint32_t& row : list) {
      order.push_back(row);
      row = static_cast<uint32_t>(order.size() - 1);
    }
  }
  for (ColumnPtr& column : columns_) {
    column = std::make_shared<Column>(*DeepCopy(*Gather(*column, order)));
  }
  stored_ = live_ = order.size();
  offers_ = 0;
}

size_t TopTable::ByteSize() const {
  size_t bytes = keys_.ByteSize() + lists_.size() * sizeof(std::vector<uint32_t>) + live_ * 4;
  for (const ColumnPtr& column : columns_) bytes += column->ByteSize();
  return bytes;
}

}  // namespace millrace::worker
