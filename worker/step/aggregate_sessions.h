#pragma once

#include <map>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "worker/step/aggregate_plan.h"

namespace millrace::worker {

// The open sessions of every key, in pieces.
//
// Records of a key whose neighbours are at most `gap` apart are a chain. A chain from its first to
// its last record no longer than `max_length` is a session; a longer one is cut at every multiple
// of `max_length` since the epoch, so that what a session holds depends on its records only, not on
// how they fell into batches or units. A piece is the part of a chain between two such multiples;
// pieces merge in any order. Thread-compatible.
class SessionTable {
 public:
  struct Piece {
    int64_t start;
    int64_t last;
    uint32_t row;  // of values()
    bool cut;      // of a chain that is too long, parts of which may have left
    int64_t cell;  // start of its span of max_length
  };
  // Pieces [begin, end) of a key, and what they are together.
  struct Session {
    int64_t start;
    int64_t last;
    size_t begin;
    size_t end;
    friend bool operator==(const Session& a, const Session& b) {
      return a.start == b.start && a.last == b.last;
    }
  };

  explicit SessionTable(const AggregatePlan* plan);

  // First and last times of pieces, and whether their chains are cut (none given: not).
  struct Spans {
    std::span<const int64_t> starts;
    std::span<const int64_t> lasts;
    std::span<const uint8_t> cuts;
  };
  // Merges the rows of `partials`, row i being of span i and key row key_rows[i].
  Status Merge(std::span<const uint32_t> key_rows, const Spans& spans,
               std::span<const ColumnRef> partials);
  // Folds records in.
  Status Update(std::span<const uint32_t> key_rows, std::span<const int64_t> times,
                const EvaluatedRows& rows);
  const std::vector<uint32_t>& KeyRows(std::span<const std::string_view> keys);
  // The sessions of a key, ascending. Chains found too long are marked as cut.
  std::vector<Session> SessionsOf(uint32_t key_row);
  // Ends a session that SessionsOf gave; the key goes with its last one.
  void Erase(uint32_t key_row, const Session& session);
  void EraseKey(uint32_t key_row);
  // Puts a stored piece back.
  Status Restore(std::string_view key, int64_t start, int64_t last, bool cut,
                 std::span<const ColumnRef> partials, size_t i);

  const KeyTable& keys() const { return keys_; }
  const std::vector<Piece>& of(uint32_t key_row) const { return pieces_[key_row]; }
  const AggregateSet& values() const { return values_; }
  // Rows of values() that Merge and Update wrote to since it was cleared.
  MarkList& changed() { return changed_; }
  // A row without records.
  uint32_t empty_row() const { return 0; }
  // Key of the row that the last error is about.
  std::string_view failed_key() const { return keys_.key(failed_key_); }

 private:
  // The row for contributions of [start, last]; pieces that it joins are merged into one.
  Result<uint32_t> Place(uint32_t key_row, int64_t start, int64_t last, bool cut);
  bool Near(int64_t start, int64_t last, const Piece& piece) const;
  Status MergePending();
  void FindFailedKey();
  uint32_t NewRow();
  void FreeRow(uint32_t row);

  const AggregatePlan* plan_;
  KeyTable keys_;
  std::vector<std::vector<Piece>> pieces_;  // by key row, ascending by start
  AggregateSet values_;
  uint32_t next_row_ = 1;
  std::vector<uint32_t> free_rows_;
  std::vector<uint32_t> found_;
  std::vector<uint64_t> hashes_;
  MarkList changed_;
  uint32_t failed_key_ = 0;
  // Of the Merge in work: partial rows from pending_begin_ on that have a row but are not merged
  // yet.
  std::span<const ColumnRef> pending_;
  std::vector<uint32_t> pending_rows_;
  size_t pending_begin_ = 0;
};

// Sender side: sends pieces of sessions of the source unit as start: int, last: int, cut: bool,
// key: bytes and partial results.
class SessionWriter final : public ExchangeWriter {
 public:
  explicit SessionWriter(AggregatePlanRef plan) : plan_(std::move(plan)), table_(plan_.get()) {}
  Status Add(const RecordBatch& batch, TaskRun* run) override;
  Status Finish(TaskRun* run, const SendFn& send) override;

 private:
  AggregatePlanRef plan_;
  SessionTable table_;
};

// Receiver side: sessions by key and a timer per session. A session leaves when the clock is past
// its last record plus gap. State (aggregate_state.h): tag 1 keys whose pieces are replaced, 2
// pieces. One thread at a time.
class SessionOperator final : public KeyedOperator {
 public:
  explicit SessionOperator(AggregatePlanRef plan) : plan_(std::move(plan)), table_(plan_.get()) {}

  Status Run(const std::vector<std::vector<RecordBatch>>& arrived, TaskRun* run,
             std::vector<RecordBatch>* out) override;
  bool HasWork(const BatchContext& context) const override;
  void EncodeDelta(std::string* out) const override;
  void EncodeSnapshot(std::string* out) const override;
  Status Apply(std::string_view blob) override;
  void Settle() override;
  int64_t keys() const override { return static_cast<int64_t>(table_.keys().size()); }
  int64_t bytes() const override;

 private:
  using Timer = std::tuple<int64_t, uint32_t, int64_t>;  // last record, key row, start
  // A session on its way out; a deleted one has no pieces any more.
  struct Leaving {
    uint32_t key_row;
    SessionTable::Session session;
    bool deleted = false;
  };

  Status MergeArrived(const RecordBatch& batch);
  Status Fire(int64_t bound, TaskRun* run, std::vector<RecordBatch>* out);
  Status EmitUpdates(TaskRun* run, std::vector<RecordBatch>* out);
  Status EmitSessions(const std::vector<Leaving>& sessions, TaskRun* run,
                      std::vector<RecordBatch>* out);
  void Schedule(uint32_t key_row);
  void Unschedule(uint32_t key_row, std::span<const SessionTable::Session> sessions);
  bool Changed(uint32_t key_row, const SessionTable::Session& session);
  void EncodePieces(std::span<const uint32_t> key_rows, std::string* out) const;
  std::vector<uint32_t> KeyRows() const;

  AggregatePlanRef plan_;
  SessionTable table_;
  std::set<Timer> timers_;
  MarkList unsaved_;                       // key rows since Settle
  std::vector<std::string> dropped_keys_;  // since Settle
  // Of the key rows of this batch: their sessions before it.
  std::map<uint32_t, std::vector<SessionTable::Session>> before_;
};

}  // namespace millrace::worker
