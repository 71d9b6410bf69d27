#include "worker/sink/redis/row_builder.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "crds/base/text.h"
#include "worker/data/encode_check.h"
#include "worker/data/json_value.h"

namespace millrace::worker {
namespace {

using KeyType = api::RedisSink::Type;

constexpr const char* kEncode = "Encode";
constexpr const char* kRejected = "Rejected";

bool WritesFields(KeyType type) { return type == KeyType::kHash || type == KeyType::kStream; }

}  // namespace

void RedisRowBuilder::Reset(const RecordBatch& batch) {
  deleted_.assign(batch.num_rows(), 0);
  refused_.assign(batch.num_rows(), 0);
  refusals_.clear();
  values_.clear();
  scores_.clear();
}

// The first reason counts.
void RedisRowBuilder::Refuse(size_t row, const char* reason, std::string message) {
  if (refused_[row] != 0) return;
  refused_[row] = 1;
  refusals_.push_back({row, reason, std::move(message)});
}

ColumnRef RedisRowBuilder::Evaluate(const ProgramRef& program, const RecordBatch& batch,
                                    const char* what, RedisChanges* out) {
  std::vector<BadRecord> bad;
  ColumnRef column = program->Evaluate(batch, nullptr, &bad);
  for (const BadRecord& record : bad) {
    Refuse(record.row, kEncode, std::string(what) + ": " + record.message);
  }
  out->columns.push_back(column);
  return column;
}

void RedisRowBuilder::MarkDeleted(const RecordBatch& batch, RedisChanges* out) {
  const Column* removed = batch.Find(kRemovalField);
  if (removed != nullptr && removed->kind() == Kind::kBool) {
    std::copy(removed->bools.begin(), removed->bools.end(), deleted_.begin());
  }
  if (expressions_.delete_when == nullptr) return;
  const ColumnRef chosen = Evaluate(expressions_.delete_when, batch, "deleteWhen", out);
  for (size_t row = 0; row < batch.num_rows(); ++row) {
    if (!chosen->IsNull(row) && chosen->bools[row] != 0) deleted_[row] = 1;
  }
}

// Strings and bytes as they are, everything else as the json format writes it, without quotes.
std::string_view RedisRowBuilder::TextOf(const Column& column, size_t row, RedisChanges* out) {
  if (column.kind() == Kind::kString || column.kind() == Kind::kBytes) return column.strings[row];
  scratch_.clear();
  AppendJsonLine(column, row, {}, false, &scratch_);
  std::string_view text = scratch_;
  const bool quoted = column.kind() == Kind::kTimestamp || column.kind() == Kind::kDuration;
  if (quoted && text.size() >= 2 && text.front() == '"') text = text.substr(1, text.size() - 2);
  return out->arena->Copy(text);
}

void RedisRowBuilder::FillKeys(const RecordBatch& batch, RedisChanges* out) {
  const ColumnRef keys = Evaluate(expressions_.key, batch, "keyExpr", out);
  keys_.resize(batch.num_rows());
  for (size_t row = 0; row < batch.num_rows(); ++row) {
    if (keys->IsNull(row)) {
      Refuse(row, kRejected, "keyExpr is null");
    } else {
      keys_[row] = keys->strings[row];
    }
  }
}

void RedisRowBuilder::FillValues(const RecordBatch& batch, RedisChanges* out) {
  values_.resize(batch.num_rows());
  if (expressions_.value != nullptr) {
    const ColumnRef values = Evaluate(expressions_.value, batch, "valueExpr", out);
    for (size_t row = 0; row < batch.num_rows(); ++row) {
      if (refused_[row] != 0) continue;
      std::string problem = values->IsNull(row) ? "is null" : EncodeProblem(*values, row);
      // A deleted key needs no value, a removed member does.
      const bool needed = deleted_[row] == 0 || type_ == KeyType::kSortedSet;
      if (problem.empty()) {
        values_[row] = TextOf(*values, row, out);
      } else if (needed) {
        Refuse(row, kRejected, "valueExpr: " + problem);
      }
    }
    return;
  }
  std::string bytes;
  std::vector<size_t> ends;
  std::vector<BadRecord> bad;
  encoder_->Encode(out->rows, &bytes, &ends, &bad);
  for (BadRecord& record : bad) {
    if (deleted_[record.row] == 0) Refuse(record.row, kEncode, std::move(record.message));
  }
  const std::string_view all = out->arena->Copy(bytes);
  size_t begin = 0;
  for (size_t row = 0; row < ends.size(); ++row) {
    const size_t end = ends[row];  // behind the line break
    if (end > begin) values_[row] = all.substr(begin, end - begin - 1);
    begin = end;
  }
}

void RedisRowBuilder::FillScores(const RecordBatch& batch, RedisChanges* out) {
  const ColumnRef scores = Evaluate(expressions_.score, batch, "scoreExpr", out);
  scores_.resize(batch.num_rows());
  for (size_t row = 0; row < batch.num_rows(); ++row) {
    if (refused_[row] != 0 || deleted_[row] != 0) continue;
    const bool real = scores->kind() == Kind::kDouble;
    if (scores->IsNull(row) || (real && std::isnan(scores->doubles[row]))) {
      Refuse(row, kRejected, "scoreExpr is no number");
    } else if (real && std::isinf(scores->doubles[row])) {
      scores_[row] = scores->doubles[row] > 0 ? "+inf" : "-inf";
    } else {
      scores_[row] = TextOf(*scores, row, out);
    }
  }
}

void RedisRowBuilder::Finish(uint32_t row, RedisOp op, size_t args_begin, RedisChanges* out) {
  RedisChange change{keys_[row],
                     op,
                     row,
                     static_cast<uint32_t>(args_begin),
                     static_cast<uint32_t>(out->args.size()),
                     keys_[row].size()};
  for (size_t i = args_begin; i < out->args.size(); ++i) change.bytes += out->args[i].size();
  out->changes.push_back(change);
}

void RedisRowBuilder::Add(uint32_t row, RedisOp op, std::initializer_list<std::string_view> args,
                          RedisChanges* out) {
  const size_t begin = out->args.size();
  out->args.insert(out->args.end(), args);
  Finish(row, op, begin, out);
}

void RedisRowBuilder::AddFields(uint32_t row, RedisChanges* out) {
  const RecordBatch& rows = out->rows;
  for (size_t i = 0; i < rows.num_columns(); ++i) {
    const std::string problem = EncodeProblem(rows.column(i), row);
    if (problem.empty()) continue;
    Refuse(row, kEncode, "field \"" + rows.schema()[i].name + "\": " + problem);
    return;
  }
  const size_t begin = out->args.size();
  for (size_t i = 0; i < rows.num_columns(); ++i) {
    if (rows.column(i).IsNull(row)) continue;
    out->args.push_back(rows.schema()[i].name);
    out->args.push_back(TextOf(rows.column(i), row, out));
  }
  const bool any = out->args.size() > begin;
  if (type_ == KeyType::kStream) {
    if (any) return Finish(row, RedisOp::kStreamAdd, begin, out);
    return Refuse(row, kRejected, "all fields are null; an entry of a stream needs one");
  }
  if (any) Finish(row, RedisOp::kHashSet, begin, out);
  const size_t nulls = out->args.size();
  for (size_t i = 0; i < rows.num_columns(); ++i) {
    if (rows.column(i).IsNull(row)) out->args.push_back(rows.schema()[i].name);
  }
  if (out->args.size() > nulls) Finish(row, RedisOp::kHashRemove, nulls, out);
}

void RedisRowBuilder::AddRow(uint32_t row, RedisChanges* out) {
  const bool deleted = deleted_[row] != 0;
  if (deleted && type_ != KeyType::kSortedSet) return Add(row, RedisOp::kDelete, {}, out);
  switch (type_) {
    case KeyType::kHash:
    case KeyType::kStream:
      return AddFields(row, out);
    case KeyType::kString:
      return Add(row, RedisOp::kSet, {values_[row]}, out);
    case KeyType::kList:
      return Add(row, RedisOp::kPush, {values_[row]}, out);
    case KeyType::kSortedSet:
      if (deleted) return Add(row, RedisOp::kSortedRemove, {values_[row]}, out);
      return Add(row, RedisOp::kSortedAdd, {scores_[row], values_[row]}, out);
  }
}

RedisChanges RedisRowBuilder::Build(const RecordBatch& batch, std::vector<RejectedRow>* rejected) {
  Reset(batch);
  RedisChanges out;
  out.arena = std::make_shared<Arena>();
  out.rows = projection_.Apply(batch);
  MarkDeleted(batch, &out);
  FillKeys(batch, &out);
  if (!WritesFields(type_)) FillValues(batch, &out);
  if (expressions_.score != nullptr) FillScores(batch, &out);
  out.changes.reserve(batch.num_rows());
  for (uint32_t row = 0; row < batch.num_rows(); ++row) {
    if (refused_[row] == 0) AddRow(row, &out);
  }
  std::sort(refusals_.begin(), refusals_.end(),
            [](const Refusal& a, const Refusal& b) { return a.row < b.row; });
  for (Refusal& refusal : refusals_) {
    rejected->push_back(
        {refusal.reason, std::move(refusal.message), RowToJson(out.rows, refusal.row)});
  }
  return out;
}

}  // namespace millrace::worker
