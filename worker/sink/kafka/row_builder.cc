#include "worker/sink/kafka/row_builder.h"

#include <algorithm>
#include <limits>
#include <unordered_map>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

constexpr const char* kEncode = "Encode";
constexpr const char* kRejected = "Rejected";
constexpr char kEmpty = '\0';  // where views of empty, not null, values point

std::string_view NotNull(std::string_view text) {
  return text.data() == nullptr ? std::string_view(&kEmpty, 0) : text;
}

void FillViews(const Column& column, std::vector<std::string_view>* views) {
  views->resize(column.size());
  for (size_t row = 0; row < column.size(); ++row) {
    (*views)[row] = column.IsNull(row) ? std::string_view() : NotNull(column.strings[row]);
  }
}

int64_t FloorMillis(int64_t micros) { return micros / 1000 - (micros % 1000 < 0 ? 1 : 0); }

}  // namespace

KafkaRowBuilder::KafkaRowBuilder(KafkaExpressions expressions, std::string topic,
                                 Projection projection, std::unique_ptr<Encoder> encoder)
    : expressions_(std::move(expressions)),
      topic_(std::move(topic)),
      projection_(std::move(projection)),
      encoder_(std::move(encoder)) {
  for (const auto& [name, program] : expressions_.headers) headers_.push_back({name, {}});
}

void KafkaRowBuilder::Reset(const RecordBatch& batch) {
  rows_count_ = batch.num_rows();
  tombstone_.assign(rows_count_, 0);
  refused_.assign(rows_count_, 0);
  refusals_.clear();
  columns_.clear();
  ends_.clear();
  facts_.clear();
  rows_.clear();
  bytes_ = std::make_shared<std::string>();
}

// The first reason counts.
void KafkaRowBuilder::Refuse(size_t row, const char* reason, std::string message) {
  if (refused_[row] != 0) return;
  refused_[row] = 1;
  refusals_.push_back({row, reason, std::move(message)});
}

ColumnRef KafkaRowBuilder::Evaluate(const ProgramRef& program, const RecordBatch& batch,
                                    const std::string& what) {
  std::vector<BadRecord> bad;
  ColumnRef column = program->Evaluate(batch, nullptr, &bad);
  for (const BadRecord& record : bad) Refuse(record.row, kEncode, what + ": " + record.message);
  columns_.push_back(column);
  return column;
}

void KafkaRowBuilder::MarkTombstones(const RecordBatch& batch) {
  const Column* removed = batch.Find(kRemovalField);
  if (removed != nullptr && removed->kind() == Kind::kBool) {
    std::copy(removed->bools.begin(), removed->bools.end(), tombstone_.begin());
  }
  if (expressions_.delete_when == nullptr) return;
  const ColumnRef deleted = Evaluate(expressions_.delete_when, batch, "deleteWhen");
  for (size_t row = 0; row < rows_count_; ++row) {
    if (!deleted->IsNull(row) && deleted->bools[row] != 0) tombstone_[row] = 1;
  }
}

void KafkaRowBuilder::EncodeValues(const RecordBatch& projected) {
  std::vector<BadRecord> bad;
  encoder_->Encode(projected, bytes_.get(), &ends_, &bad);
  for (BadRecord& record : bad) {
    if (tombstone_[record.row] == 0) Refuse(record.row, kEncode, std::move(record.message));
  }
  values_.resize(rows_count_);
  const char* bytes = bytes_->data();
  size_t begin = 0;
  for (size_t row = 0; row < rows_count_; ++row) {
    const size_t end = ends_[row];  // behind the line break
    const bool written = tombstone_[row] == 0 && end > begin;
    values_[row] = written ? std::string_view(bytes + begin, end - begin - 1) : std::string_view();
    begin = end;
  }
}

void KafkaRowBuilder::FillKeys(const RecordBatch& batch) {
  keys_.clear();
  if (expressions_.key == nullptr) return;
  FillViews(*Evaluate(expressions_.key, batch, "keyExpr"), &keys_);
  for (size_t row = 0; row < rows_count_; ++row) {
    if (tombstone_[row] != 0 && keys_[row].data() == nullptr) {
      Refuse(row, kRejected, "keyExpr is null, but a tombstone needs a key");
    }
  }
}

void KafkaRowBuilder::FillHeaders(const RecordBatch& batch) {
  for (size_t i = 0; i < headers_.size(); ++i) {
    const auto& [name, program] = expressions_.headers[i];
    FillViews(*Evaluate(program, batch, "headerExprs." + name), &headers_[i].values);
  }
}

void KafkaRowBuilder::FillTimestamps(const RecordBatch& batch, TimePoint batch_time) {
  const int64_t otherwise = FloorMillis(batch_time.time_since_epoch().count());
  timestamps_.assign(rows_count_, otherwise);
  if (expressions_.timestamp == nullptr) return;
  const ColumnRef times = Evaluate(expressions_.timestamp, batch, "timestampExpr");
  for (size_t row = 0; row < rows_count_; ++row) {
    if (times->IsNull(row) || refused_[row] != 0) continue;
    timestamps_[row] = FloorMillis(times->ints[row]);
    if (timestamps_[row] < 0) {
      Refuse(row, kRejected, "timestampExpr is before 1970, which Kafka does not take");
    }
  }
}

Status KafkaRowBuilder::FillTopics(const RecordBatch& batch, const TopicLookup& lookup) {
  fact_of_row_.assign(rows_count_, 0);
  topics_.assign(rows_count_, 0);
  if (expressions_.topic == nullptr) {
    ASSIGN_OR_RETURN(const KafkaTopicFacts facts, lookup(topic_));
    facts_.push_back(facts);
    topics_.assign(rows_count_, facts.number);
    return OkStatus();
  }
  const ColumnRef names = Evaluate(expressions_.topic, batch, "topicExpr");
  std::unordered_map<std::string_view, Result<size_t>> known;
  for (size_t row = 0; row < rows_count_; ++row) {
    if (refused_[row] != 0) continue;
    auto found = known.find(names->strings[row]);
    if (found == known.end()) {
      const Result<KafkaTopicFacts> facts = lookup(names->strings[row]);
      if (!facts.ok() && facts.status().code() != StatusCode::kNotFound) return facts.status();
      if (facts.ok()) facts_.push_back(*facts);
      found = known
                  .emplace(names->strings[row], facts.ok() ? Result<size_t>(facts_.size() - 1)
                                                           : Result<size_t>(facts.status()))
                  .first;
    }
    if (!found->second.ok()) {
      Refuse(row, kRejected, found->second.status().message());
      continue;
    }
    fact_of_row_[row] = static_cast<uint32_t>(*found->second);
    topics_[row] = facts_[*found->second].number;
  }
  return OkStatus();
}

void KafkaRowBuilder::FillPartitions(const RecordBatch& batch) {
  partitions_.clear();
  if (expressions_.partition == nullptr) return;
  const ColumnRef wanted = Evaluate(expressions_.partition, batch, "partitionExpr");
  partitions_.assign(rows_count_, -1);
  for (size_t row = 0; row < rows_count_; ++row) {
    if (wanted->IsNull(row) || refused_[row] != 0) continue;
    const int64_t partition = wanted->ints[row];
    const int count = facts_[fact_of_row_[row]].partitions;
    if (partition < 0 || partition >= count) {
      Refuse(row, kRejected,
             "partitionExpr is " + std::to_string(partition) +
                 ", but the topic has partitions 0 to " + std::to_string(count - 1));
    } else {
      partitions_[row] = static_cast<int32_t>(partition);
    }
  }
}

void KafkaRowBuilder::CheckSizes() {
  for (size_t row = 0; row < rows_count_; ++row) {
    if (refused_[row] != 0) continue;
    size_t size = values_[row].size();
    if (!keys_.empty()) size += keys_[row].size();
    for (const KafkaRows::Header& header : headers_) {
      size += header.name.size() + header.values[row].size();
    }
    const int64_t limit = facts_[fact_of_row_[row]].max_record_bytes;
    if (static_cast<int64_t>(size) > limit) {
      Refuse(row, kRejected,
             "the record has " + std::to_string(size) + " bytes; the topic takes at most " +
                 std::to_string(limit) + " (max.message.bytes)");
    }
  }
}

KafkaRows KafkaRowBuilder::Take(const RecordBatch& projected, std::vector<RejectedRow>* rejected) {
  std::sort(refusals_.begin(), refusals_.end(),
            [](const Refusal& a, const Refusal& b) { return a.row < b.row; });
  for (Refusal& refusal : refusals_) {
    rejected->push_back(
        {refusal.reason, std::move(refusal.message), RowToJson(projected, refusal.row)});
  }
  rows_.reserve(rows_count_);
  for (size_t row = 0; row < rows_count_; ++row) {
    if (refused_[row] == 0) rows_.push_back(static_cast<uint32_t>(row));
  }
  KafkaRows rows;
  rows.values = values_;
  rows.keys = keys_;
  rows.timestamps_ms = timestamps_;
  rows.partitions = partitions_;
  rows.topics = topics_;
  rows.headers = headers_;
  rows.rows = rows_;
  rows.owner = bytes_;
  return rows;
}

Result<KafkaRows> KafkaRowBuilder::Build(const RecordBatch& batch, TimePoint batch_time,
                                         const TopicLookup& lookup,
                                         std::vector<RejectedRow>* rejected) {
  Reset(batch);
  const RecordBatch projected = projection_.Apply(batch);
  MarkTombstones(batch);
  EncodeValues(projected);
  FillKeys(batch);
  FillHeaders(batch);
  FillTimestamps(batch, batch_time);
  RETURN_IF_ERROR(FillTopics(batch, lookup));
  FillPartitions(batch);
  CheckSizes();
  return Take(projected, rejected);
}

}  // namespace millrace::worker
