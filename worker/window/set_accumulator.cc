#include <algorithm>
#include <cstring>
#include <string>

#include "worker/data/record_batch.h"
#include "worker/state/key_table.h"
#include "worker/window/accumulator.h"

namespace millrace::worker {
namespace {

constexpr uint32_t kEnd = UINT32_MAX;

// countDistinct, collectSet, counts and topK: how often each row has seen each value. One hash
// table holds (row, value) pairs; the pairs of a row are linked. Results are in order of count
// (topK) or value, never of arrival.
class SetAccumulator final : public Accumulator {
 public:
  explicit SetAccumulator(const AggregateFunction& function)
      : function_(function),
        value_schema_(std::make_shared<Schema>(
            std::vector<Field>{{"value", function.argument.AsRequired()}})),
        limit_(function.kind == AggregateKind::kCollectSet ? kMaxCollected : kMaxDistinct) {}

  void Resize(size_t rows) override {
    if (rows > rows_.size()) rows_.resize(rows);
  }

  Status Update(const UpdateArgs& args) override {
    // Nulls are filtered out: the encoding is that of the required type.
    ColumnPtr values = std::make_shared<Column>(function_.argument.AsRequired());
    const Column& column = *args.arguments[0];
    if (args.all) {
      values->AppendAll(column);
    } else {
      values->AppendGather(column, args.records);
    }
    values->valid.clear();
    const size_t count = values->size();
    const RecordBatch batch(value_schema_, {values}, count);
    Arena arena;
    std::vector<std::string_view> keys;
    KeyEncoder({0}).Encode(batch, &arena, &keys);
    for (size_t i = 0; i < count; ++i) {
      const uint32_t row = args.rows[args.all ? i : args.records[i]];
      if (!Add(row, keys[i], 1)) return Full(row);
    }
    return OkStatus();
  }

  Status Merge(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
               size_t begin) override {
    RETURN_IF_ERROR(CheckPartials(rows.size(), partials, begin));
    for (size_t i = 0; i < rows.size(); ++i) {
      const Column& list = *partials[0];
      for (size_t e = list.list_begin(begin + i); e < list.list_end(begin + i); ++e) {
        if (!Add(rows[i], list.children[0]->strings[e], CountAt(partials, begin + i, e))) {
          return Full(rows[i]);
        }
      }
    }
    return OkStatus();
  }

  Status Subtract(std::span<const uint32_t> rows, std::span<const ColumnRef> partials,
                  size_t begin) override {
    RETURN_IF_ERROR(CheckPartials(rows.size(), partials, begin));
    for (size_t i = 0; i < rows.size(); ++i) {
      const Column& list = *partials[0];
      for (size_t e = list.list_begin(begin + i); e < list.list_end(begin + i); ++e) {
        Take(rows[i], list.children[0]->strings[e], CountAt(partials, begin + i, e));
      }
    }
    return OkStatus();
  }

  void AppendPartials(std::span<const uint32_t> rows,
                      std::span<const ColumnPtr> partials) const override {
    auto arena = std::make_shared<Arena>();
    partials[0]->children[0]->AddOwner(arena);
    for (const uint32_t row : rows) {
      for (const uint32_t entry : Sorted(row)) {
        partials[0]->children[0]->AppendView(arena->Copy(ValueOf(entry)));
        if (partials.size() > 1) partials[1]->children[0]->AppendInt(entries_[entry].count);
      }
      partials[0]->FinishList();
      if (partials.size() > 1) partials[1]->FinishList();
    }
  }

  void AppendResults(std::span<const uint32_t> rows, Column* out) const override {
    if (function_.kind == AggregateKind::kCountDistinct) {
      for (const uint32_t row : rows) out->AppendInt(rows_[row].size);
      return;
    }
    std::vector<std::string_view> values;
    std::vector<int64_t> counts;
    std::vector<size_t> sizes;
    auto arena = std::make_shared<Arena>();
    for (const uint32_t row : rows) {
      std::vector<uint32_t> entries = Sorted(row);
      if (function_.kind == AggregateKind::kTopK) KeepTop(&entries);
      for (const uint32_t entry : entries) {
        values.push_back(arena->Copy(ValueOf(entry)));
        counts.push_back(entries_[entry].count);
      }
      sizes.push_back(entries.size());
    }
    const Type type = function_.argument.AsRequired();
    AppendLists(*DecodeKeys(values, {&type, 1})[0], counts, sizes, arena, out);
  }

  void Reset(std::span<const uint32_t> rows) override {
    for (const uint32_t row : rows) {
      while (rows_[row].head != kEnd) Remove(row, rows_[row].head);
    }
    table_.CompactIfSparse();
  }

  size_t ByteSize() const override {
    return rows_.size() * sizeof(Row) + entries_.size() * sizeof(Entry) + table_.ByteSize();
  }

 private:
  struct Row {
    uint32_t head = kEnd;
    uint32_t size = 0;
  };
  struct Entry {
    int64_t count = 0;
    uint32_t next = kEnd;
    uint32_t previous = kEnd;
  };

  Status Full(uint32_t row) {
    return Fail(row, "more than " + std::to_string(limit_) + " distinct values");
  }

  static Status CheckPartials(size_t rows, std::span<const ColumnRef> partials, size_t begin) {
    if (partials.size() < 2) return OkStatus();
    for (size_t i = begin; i < begin + rows; ++i) {
      if (partials[0]->list_begin(i) != partials[1]->list_begin(i) ||
          partials[0]->list_end(i) != partials[1]->list_end(i)) {
        return InternalError("a stored set of values does not match its counts");
      }
    }
    return OkStatus();
  }

  static int64_t CountAt(std::span<const ColumnRef> partials, size_t, size_t element) {
    return partials.size() < 2 ? 1 : partials[1]->children[0]->ints[element];
  }

  std::string_view Key(uint32_t row, std::string_view value) {
    key_.resize(sizeof(row));
    std::memcpy(key_.data(), &row, sizeof(row));
    key_.append(value);
    return key_;
  }
  std::string_view ValueOf(uint32_t entry) const {
    return table_.key(entry).substr(sizeof(uint32_t));
  }

  bool Add(uint32_t row, std::string_view value, int64_t count) {
    const std::string_view key = Key(row, value);
    bool inserted = false;
    const uint32_t entry = table_.FindOrInsert(key, HashKey(key), &inserted);
    if (entry >= entries_.size()) entries_.resize(entry + 1);
    if (inserted) {
      Row& list = rows_[row];
      entries_[entry] = {0, list.head, kEnd};
      if (list.head != kEnd) entries_[list.head].previous = entry;
      list.head = entry;
      if (++list.size > limit_) return false;
    }
    entries_[entry].count += count;
    return true;
  }

  void Take(uint32_t row, std::string_view value, int64_t count) {
    const std::string_view key = Key(row, value);
    const uint32_t entry = table_.Find(key, HashKey(key));
    if (entry == KeyTable::kNone) return;
    if ((entries_[entry].count -= count) <= 0) Remove(row, entry);
  }

  void Remove(uint32_t row, uint32_t entry) {
    const Entry& links = entries_[entry];
    if (links.previous == kEnd) {
      rows_[row].head = links.next;
    } else {
      entries_[links.previous].next = links.next;
    }
    if (links.next != kEnd) entries_[links.next].previous = links.previous;
    --rows_[row].size;
    table_.Erase(entry);
  }

  // Entries of a row by value.
  std::vector<uint32_t> Sorted(uint32_t row) const {
    std::vector<uint32_t> entries;
    entries.reserve(rows_[row].size);
    for (uint32_t e = rows_[row].head; e != kEnd; e = entries_[e].next) entries.push_back(e);
    std::sort(entries.begin(), entries.end(),
              [this](uint32_t a, uint32_t b) { return ValueOf(a) < ValueOf(b); });
    return entries;
  }

  void KeepTop(std::vector<uint32_t>* entries) const {
    std::stable_sort(entries->begin(), entries->end(), [this](uint32_t a, uint32_t b) {
      return entries_[a].count > entries_[b].count;
    });
    if (entries->size() > static_cast<size_t>(function_.k)) {
      entries->resize(static_cast<size_t>(function_.k));
    }
  }

  void AppendLists(const Column& values, const std::vector<int64_t>& counts,
                   const std::vector<size_t>& sizes, const Owner& arena, Column* out) const {
    Column* elements = out->children[0].get();
    const bool top = function_.kind == AggregateKind::kTopK;
    Column* value_column = top ? elements->children[0].get() : elements;
    value_column->AddOwner(arena);
    size_t at = 0;
    for (const size_t size : sizes) {
      for (size_t i = 0; i < size; ++i, ++at) {
        value_column->AppendFrom(values, at);
        if (top) {
          elements->children[1]->AppendInt(counts[at]);
          elements->FinishStruct();
        } else if (function_.kind == AggregateKind::kCounts) {
          out->children[1]->AppendInt(counts[at]);
        }
      }
      out->FinishList();
    }
  }

  const AggregateFunction function_;
  const SchemaRef value_schema_;
  const size_t limit_;
  KeyTable table_;
  std::vector<Entry> entries_;
  std::vector<Row> rows_;
  std::string key_;
};

}  // namespace

std::unique_ptr<Accumulator> MakeSetAccumulator(const AggregateFunction& function) {
  return std::make_unique<SetAccumulator>(function);
}

}  // namespace millrace::worker
