#include "worker/step/join_operator.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "worker/state/key_table.h"
#include "worker/step/join_output.h"
#include "worker/step/join_plan.h"
#include "worker/step/join_side.h"
#include "worker/window/slice_grid.h"

namespace millrace::worker {
namespace {

constexpr uint8_t kVersion = 1;
constexpr int kLeft = 0;
constexpr int kRight = 1;
constexpr int64_t kMaxRowsPerGroup = 10'000'000;
constexpr int64_t kDueBucketsPerSpan = 64;

using Ids = std::vector<uint32_t>;

// Width of the due queues' buckets.
int64_t DueWidth(const JoinPlan& plan) {
  const int64_t span =
      plan.window == JoinWindow::kTumbling ? plan.length : plan.before + plan.after;
  return std::max(span, plan.ttl.value_or(0)) / kDueBucketsPerSpan;
}

// Joins the records of one batch with each other; remembers nothing.
class BatchJoinOperator final : public KeyedOperator {
 public:
  explicit BatchJoinOperator(const JoinPlan& plan) : plan_(plan) {}

  Status Run(const std::vector<std::vector<RecordBatch>>& arrived, TaskRun* run,
             std::vector<RecordBatch>* out) override {
    JoinOutput output(plan_, *run, out);
    JoinBatches(plan_, All(arrived, kLeft), All(arrived, kRight), 0, &output);
    return output.Finish();
  }
  bool HasWork(const BatchContext& /*context*/) const override { return false; }
  void EncodeDelta(std::string* /*out*/) const override {}
  void EncodeSnapshot(std::string* /*out*/) const override {}
  Status Apply(std::string_view /*blob*/) override {
    return InternalError("a batch join keeps no state, yet some was stored for it");
  }
  void Settle() override {}
  int64_t keys() const override { return 0; }
  int64_t bytes() const override { return 0; }

 private:
  RecordBatch All(const std::vector<std::vector<RecordBatch>>& arrived, int side) const {
    if (!arrived[side].empty()) return WithoutDeleted(Merge(arrived[side]));
    return RowStore(std::make_shared<Schema>(plan_.inputs[side])).Gather({});
  }

  const JoinPlan& plan_;
};

// Joins over time: rows of both sides wait in JoinSides until their span, window or key has passed.
class TimedJoinOperator final : public KeyedOperator {
 public:
  explicit TimedJoinOperator(const JoinPlan& plan)
      : plan_(plan),
        encoders_{EncodedKeys(plan.keys[0].columns, plan.key_types),
                  EncodedKeys(plan.keys[1].columns, plan.key_types)},
        sides_{{std::make_shared<Schema>(plan.inputs[0]), DueWidth(plan)},
               {std::make_shared<Schema>(plan.inputs[1]), DueWidth(plan)}},
        idle_(DueWidth(plan)) {}

  Status Run(const std::vector<std::vector<RecordBatch>>& arrived, TaskRun* run,
             std::vector<RecordBatch>* out) override;
  bool HasWork(const BatchContext& context) const override;
  void EncodeDelta(std::string* out) const override {
    if (sides_[kLeft].changed() || sides_[kRight].changed()) Encode(/*snapshot=*/false, out);
  }
  void EncodeSnapshot(std::string* out) const override { Encode(/*snapshot=*/true, out); }
  Status Apply(std::string_view blob) override;
  void Settle() override {
    sides_[kLeft].Settle();
    sides_[kRight].Settle();
  }
  int64_t keys() const override { return static_cast<int64_t>(keys_.size()); }
  int64_t bytes() const override {
    return static_cast<int64_t>(keys_.ByteSize()) + sides_[kLeft].bytes() + sides_[kRight].bytes();
  }

 private:
  bool chained() const { return plan_.window != JoinWindow::kTumbling; }
  int64_t DueOf(int side, int64_t time) const;
  RecordBatch WithoutLateRows(int side, const RecordBatch& batch, TaskRun* run,
                              std::vector<int64_t>* times) const;
  Ids KeysOf(int side, const RecordBatch& batch);
  void Remember(int side, RecordBatch batch, TaskRun* run);
  void CountIn(int side, uint32_t first);
  void Probe(int side, uint32_t first, uint32_t limit, JoinOutput* output);
  void Expire(int64_t now, JoinOutput* output);
  void CloseWindows(int64_t now, JoinOutput* output);
  void CloseWindow(int64_t end, const Ids ids[2], JoinOutput* output);
  void DropIdleKeys(int64_t now, TaskRun* run);
  void Remove(int side, uint32_t id);
  void Tidy();
  void Encode(bool snapshot, std::string* out) const;

  const JoinPlan& plan_;
  EncodedKeys encoders_[2];
  KeyTable keys_;                 // of both sides
  std::vector<uint32_t> counts_;  // by key: live rows of both sides
  std::vector<int64_t> touched_;  // by key: time of its last record
  JoinSide sides_[2];
  DueQueue idle_;  // keys by ttl
};

Status TimedJoinOperator::Run(const std::vector<std::vector<RecordBatch>>& arrived, TaskRun* run,
                              std::vector<RecordBatch>* out) {
  const auto old_left = static_cast<uint32_t>(sides_[kLeft].rows().size());
  const auto old_right = static_cast<uint32_t>(sides_[kRight].rows().size());
  for (const int side : {kLeft, kRight}) {
    for (const RecordBatch& batch : arrived[side]) Remember(side, batch, run);
  }
  const int64_t waiting = static_cast<int64_t>(sides_[kLeft].rows().live()) +
                          static_cast<int64_t>(sides_[kRight].rows().live());
  if (waiting > kMaxRowsPerGroup) {
    return InvalidError(plan_.origin + ": more than " + std::to_string(kMaxRowsPerGroup) +
                        " rows wait in one key group; use a shorter window or ttl, or a larger "
                        "maxParallelism");
  }
  JoinOutput output(plan_, *run, out);
  const int64_t now = plan_.Now(*run->context);
  if (chained()) {
    output.Begin(JoinRows(sides_[kLeft].rows()), JoinRows(sides_[kRight].rows()));
    // New left rows meet the old right ones, new right rows all left ones: every pair once.
    Probe(kLeft, old_left, old_right, &output);
    Probe(kRight, old_right, kNoRow, &output);
    if (plan_.window == JoinWindow::kInterval) Expire(now, &output);
    if (plan_.ttl) DropIdleKeys(now, run);
  } else {
    CloseWindows(now, &output);
  }
  RETURN_IF_ERROR(output.Finish());
  Tidy();
  return OkStatus();
}

bool TimedJoinOperator::HasWork(const BatchContext& context) const {
  const int64_t now = plan_.Now(context);
  const int64_t next = std::min(sides_[kLeft].next_due(), sides_[kRight].next_due());
  if (plan_.window == JoinWindow::kTumbling) return next <= now;
  return next < now || (idle_.next() < now && now != kEndOfTime);
}

// When a row can go. interval: the last time at which a partner may come. tumbling: the end of its
// window.
int64_t TimedJoinOperator::DueOf(int side, int64_t time) const {
  if (plan_.window == JoinWindow::kTumbling) {
    return AddTime(FloorTo(time, plan_.length, plan_.offset), plan_.length);
  }
  return AddTime(time, side == kLeft ? plan_.after : plan_.before);
}

RecordBatch TimedJoinOperator::WithoutLateRows(int side, const RecordBatch& batch, TaskRun* run,
                                               std::vector<int64_t>* times) const {
  *times = plan_.time[side].TimesOf(batch, *run->context);
  if (plan_.window == JoinWindow::kGlobal) return batch;
  int64_t bound = plan_.LateBefore(*run->context);
  // A window that ends at the bound is closed, so the first open one begins at the bound's own
  // start.
  if (plan_.window == JoinWindow::kTumbling && bound != kBeginningOfTime) {
    bound = FloorTo(bound, plan_.length, plan_.offset);
  }
  return WithoutLate(batch, bound, run, times);
}

// Rows of keys_; kNoRow for null keys.
Ids TimedJoinOperator::KeysOf(int side, const RecordBatch& batch) {
  Ids rows;
  if (!chained()) return Ids(batch.num_rows(), kNoRow);
  const std::vector<uint8_t> valid = RowsWithKey(batch, plan_.keys[side].columns);
  encoders_[side].Encode(batch);
  if (valid.empty()) {
    keys_.FindOrInsert(encoders_[side].keys(), encoders_[side].hashes(), &rows);
  } else {
    rows.assign(batch.num_rows(), kNoRow);
    for (size_t i = 0; i < rows.size(); ++i) {
      bool inserted = false;
      if (valid[i] == 0) continue;
      rows[i] =
          keys_.FindOrInsert(encoders_[side].keys()[i], encoders_[side].hashes()[i], &inserted);
    }
  }
  counts_.resize(keys_.row_limit());
  touched_.resize(keys_.row_limit(), kBeginningOfTime);
  return rows;
}

void TimedJoinOperator::Remember(int side, RecordBatch batch, TaskRun* run) {
  std::vector<int64_t> times;
  batch = WithoutLateRows(side, batch, run, &times);
  const std::vector<uint8_t> valid = RowsWithKey(batch, plan_.keys[side].columns);
  if (!valid.empty() && !plan_.keeps(side)) {
    // Without a key and without a right to leave alone there is nothing to wait for.
    Ids keep;
    std::vector<int64_t> kept_times;
    for (uint32_t row = 0; row < valid.size(); ++row) {
      if (valid[row] == 0) continue;
      keep.push_back(row);
      kept_times.push_back(times[row]);
    }
    batch = batch.Gather(keep);
    times = std::move(kept_times);
  }
  const auto first = static_cast<uint32_t>(sides_[side].rows().size());
  sides_[side].Add(batch, times, KeysOf(side, batch));
  CountIn(side, first);
}

// Enters the rows from `first` on into counts and due queues.
void TimedJoinOperator::CountIn(int side, uint32_t first) {
  JoinSide& rows = sides_[side];
  for (uint32_t id = first; id < rows.rows().size(); ++id) {
    if (plan_.window != JoinWindow::kGlobal) rows.SetDue(id, DueOf(side, rows.time(id)));
    const uint32_t key = rows.key(id);
    if (key == kNoRow) continue;
    if (counts_[key]++ == 0) {
      touched_[key] = kBeginningOfTime;
      if (plan_.ttl) idle_.Add(AddTime(rows.time(id), *plan_.ttl), key);
    }
    touched_[key] = std::max(touched_[key], rows.time(id));
  }
}

// Pairs rows of `side` from `first` on with rows of the other side whose id is below `limit`.
void TimedJoinOperator::Probe(int side, uint32_t first, uint32_t limit, JoinOutput* output) {
  JoinSide& mine = sides_[side];
  JoinSide& others = sides_[1 - side];
  const bool interval = plan_.window == JoinWindow::kInterval;
  const int64_t back = side == kLeft ? plan_.before : plan_.after;
  const int64_t ahead = side == kLeft ? plan_.after : plan_.before;
  for (uint32_t id = first; id < mine.rows().size(); ++id) {
    if (output->full()) return;
    if (mine.key(id) == kNoRow) continue;
    const int64_t from = interval ? AddTime(mine.time(id), -back) : kBeginningOfTime;
    const int64_t to = interval ? AddTime(mine.time(id), ahead) : kEndOfTime;
    uint32_t other = others.First(mine.key(id));
    for (; other != kNoRow && other < limit; other = others.Next(other)) {
      if (others.time(other) < from || others.time(other) > to) continue;
      output->Add(side == kLeft ? id : other, side == kLeft ? other : id);
      if (plan_.keeps(side)) mine.Mark(id);
      if (plan_.keeps(1 - side)) others.Mark(other);
    }
  }
}

// Rows that no partner can reach any more; those that never had one leave.
void TimedJoinOperator::Expire(int64_t now, JoinOutput* output) {
  if (now == kBeginningOfTime) return;
  Ids expired[2];
  for (const int side : {kLeft, kRight}) {
    expired[side] = sides_[side].TakeDue(now == kEndOfTime ? now : now - 1);
    for (const uint32_t id : expired[side]) {
      if (!plan_.keeps(side) || sides_[side].matched(id)) continue;
      output->Add(side == kLeft ? id : kNoRow, side == kLeft ? kNoRow : id);
    }
  }
  output->Flush();
  for (const int side : {kLeft, kRight}) {
    for (const uint32_t id : expired[side]) Remove(side, id);
  }
}

void TimedJoinOperator::CloseWindows(int64_t now, JoinOutput* output) {
  if (now == kBeginningOfTime) return;
  std::map<int64_t, std::array<Ids, 2>> windows;  // by end
  for (const int side : {kLeft, kRight}) {
    for (const uint32_t id : sides_[side].TakeDue(now)) {
      windows[DueOf(side, sides_[side].time(id))][side].push_back(id);
    }
  }
  for (const auto& [end, ids] : windows) {
    CloseWindow(end, ids.data(), output);
    for (const int side : {kLeft, kRight}) {
      for (const uint32_t id : ids[side]) Remove(side, id);
    }
  }
}

void TimedJoinOperator::CloseWindow(int64_t end, const Ids ids[2], JoinOutput* output) {
  const RecordBatch left = sides_[kLeft].rows().Gather(ids[kLeft]);
  const RecordBatch right = sides_[kRight].rows().Gather(ids[kRight]);
  JoinBatches(plan_, left, right, end - plan_.length, output);
}

// The end of the input makes no key idle.
void TimedJoinOperator::DropIdleKeys(int64_t now, TaskRun* run) {
  if (now == kBeginningOfTime || now == kEndOfTime) return;
  for (const uint32_t key : idle_.Take(now - 1)) {
    if (!keys_.IsLive(key) || counts_[key] == 0) continue;
    const int64_t due = AddTime(touched_[key], *plan_.ttl);
    if (due >= now) {
      idle_.Add(due, key);
      continue;
    }
    ++run->report->expired_keys;
    for (const int side : {kLeft, kRight}) {
      Ids ids;
      for (uint32_t id = sides_[side].First(key); id != kNoRow; id = sides_[side].Next(id)) {
        ids.push_back(id);
      }
      for (const uint32_t id : ids) Remove(side, id);
    }
  }
}

void TimedJoinOperator::Remove(int side, uint32_t id) {
  sides_[side].Remove(id);
  const uint32_t key = sides_[side].key(id);
  if (key == kNoRow || --counts_[key] > 0) return;
  sides_[kLeft].DropChain(key);
  sides_[kRight].DropChain(key);
  keys_.Erase(key);
}

void TimedJoinOperator::Tidy() {
  for (const int side : {kLeft, kRight}) {
    JoinSide& rows = sides_[side];
    if (!rows.sparse()) continue;
    rows.Compact();
    if (plan_.window == JoinWindow::kGlobal) continue;
    for (uint32_t id = 0; id < rows.rows().size(); ++id)
      rows.SetDue(id, DueOf(side, rows.time(id)));
  }
  keys_.CompactIfSparse();
}

// Format 1: u8 version, then left and right side (JoinSide::Encode).
void TimedJoinOperator::Encode(bool snapshot, std::string* out) const {
  WireWriter writer(out);
  writer.U8(kVersion);
  sides_[kLeft].Encode(snapshot, &writer);
  sides_[kRight].Encode(snapshot, &writer);
}

Status TimedJoinOperator::Apply(std::string_view blob) {
  WireReader reader(blob);
  if (reader.U8() != kVersion) return InternalError("join state of an unknown format version");
  for (const int side : {kLeft, kRight}) {
    JoinSide& rows = sides_[side];
    RecordBatch stored;
    Ids removed;
    RETURN_IF_ERROR(rows.Decode(&reader, &removed, &stored));
    for (const uint32_t id : removed) Remove(side, id);
    const auto first = static_cast<uint32_t>(rows.rows().size());
    rows.AddStored(stored, KeysOf(side, rows.RowsOf(stored)));
    CountIn(side, first);
  }
  return reader.Finish("join state");
}

}  // namespace

std::unique_ptr<KeyedOperator> MakeJoinOperator(const JoinPlan& plan) {
  if (!plan.stateful()) return std::make_unique<BatchJoinOperator>(plan);
  return std::make_unique<TimedJoinOperator>(plan);
}

}  // namespace millrace::worker
