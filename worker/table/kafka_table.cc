#include "worker/table/kafka_table.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "crds/base/text.h"
#include "worker/client/kafka/cluster.h"
#include "worker/data/format.h"
#include "worker/expr/program.h"
#include "worker/table/kafka_rows.h"

namespace millrace::worker {
namespace {

// Where one partition's next record is, and where it ends now.
struct Reach {
  int64_t next = 0;
  int64_t end = 0;
};

class KafkaTableLoader final : public TableLoader {
 public:
  KafkaTableLoader(api::Table table, std::string topic, SchemaRef schema, std::vector<int> key,
                   ProgramRef delete_when, std::unique_ptr<KafkaCluster> cluster,
                   std::unique_ptr<Decoder> decoder, std::stop_token stop)
      : table_(std::move(table)),
        topic_(std::move(topic)),
        key_(std::move(key)),
        delete_when_(std::move(delete_when)),
        cluster_(std::move(cluster)),
        decoder_(std::move(decoder)),
        stop_(std::move(stop)),
        rows_(std::move(schema)) {}

  Result<TableVersionRef> Load() override;

 private:
  Status FindPartitions();
  Status FindOffsets(int64_t which);
  Status ReadPartition(int partition, Reach* reach);
  Status Take(const KafkaRecords& records, int partition);
  Status TakeLast(const KafkaRecords& records, RawRecords* raw,
                  std::vector<std::string_view>* keys);
  Result<std::vector<uint8_t>> Deleted(const RecordBatch& rows) const;
  std::string Version() const;

  const api::Table table_;
  const std::string topic_;
  const std::vector<int> key_;
  const ProgramRef delete_when_;
  const std::unique_ptr<KafkaCluster> cluster_;
  const std::unique_ptr<Decoder> decoder_;
  const std::stop_token stop_;
  std::string topic_id_;
  std::map<int, Reach> reaches_;  // by partition
  KafkaRows rows_;
  TableVersionRef last_;
};

Status KafkaTableLoader::FindPartitions() {
  ASSIGN_OR_RETURN(const std::vector<KafkaTopicInfo> topics, cluster_->Metadata({topic_}, stop_));
  const KafkaTopicInfo& topic = topics.front();
  RETURN_IF_ERROR(topic.status);
  if (!topic_id_.empty() && topic_id_ != topic.id) {
    return GoneError("SourceChanged: topic \"" + topic_ + "\" was recreated: the table holds id " +
                     topic_id_ + ", the broker has id " + topic.id);
  }
  topic_id_ = topic.id;
  for (const KafkaPartitionInfo& partition : topic.partitions) reaches_[partition.partition];
  return OkStatus();
}

// Sets where partitions begin (for those not begun) or end.
Status KafkaTableLoader::FindOffsets(int64_t which) {
  std::vector<KafkaOffsetQuery> queries;
  for (const auto& [partition, reach] : reaches_) queries.push_back({{topic_, partition}, which});
  ASSIGN_OR_RETURN(const std::vector<KafkaOffsetAnswer> answers,
                   cluster_->ListOffsets(queries, KafkaIsolation::kReadCommitted, stop_));
  for (const KafkaOffsetAnswer& answer : answers) {
    RETURN_IF_ERROR(answer.status);
    Reach& reach = reaches_[answer.where.partition];
    if (which == kKafkaLatest)
      reach.end = answer.offset;
    else
      reach.next = std::max(reach.next, answer.offset);
  }
  return OkStatus();
}

Status KafkaTableLoader::ReadPartition(int partition, Reach* reach) {
  if (reach->next >= reach->end) return OkStatus();
  const KafkaRange range{{topic_, partition}, topic_id_, reach->next, reach->end};
  const auto visit = [&](KafkaRecords records) { return Take(records, partition); };
  RETURN_IF_ERROR(
      cluster_->Fetch(range, KafkaIsolation::kReadCommitted, {.keys = true}, visit, stop_));
  reach->next = reach->end;
  return OkStatus();
}

// Puts the last record of each key into `raw`, and their keys into `keys`; tombstones take effect
// at once.
Status KafkaTableLoader::TakeLast(const KafkaRecords& records, RawRecords* raw,
                                  std::vector<std::string_view>* keys) {
  raw->first_offset = records.first_offset;
  std::map<std::string_view, size_t> last;
  for (size_t i = 0; i < records.size(); ++i) {
    if (!records.null_keys.empty() && records.null_keys[i] != 0) {
      return InvalidError(topic_ + "/" + std::to_string(raw->partition) + " offset " +
                          std::to_string(records.offset(i)) +
                          ": the record has no key; a table's topic is compacted by key");
    }
    last[records.keys[i]] = i;
  }
  for (size_t i = 0; i < records.size(); ++i) {
    if (last[records.keys[i]] != i) continue;
    if (!records.null_values.empty() && records.null_values[i] != 0) {
      rows_.Remove(records.keys[i]);
      continue;
    }
    raw->payloads.push_back(records.values[i]);
    raw->offsets.push_back(records.offset(i));
    keys->push_back(records.keys[i]);
  }
  return OkStatus();
}

Result<std::vector<uint8_t>> KafkaTableLoader::Deleted(const RecordBatch& rows) const {
  std::vector<uint8_t> deleted(rows.num_rows(), 0);
  if (delete_when_ == nullptr) return deleted;
  std::vector<uint32_t> selected;
  std::vector<BadRecord> errors;
  delete_when_->Select(rows, nullptr, &selected, &errors);
  if (!errors.empty()) return InvalidError("deleteWhen: " + errors.front().message);
  for (const uint32_t row : selected) deleted[row] = 1;
  return deleted;
}

Status KafkaTableLoader::Take(const KafkaRecords& records, int partition) {
  RawRecords raw;
  raw.topic = topic_;
  raw.partition = partition;
  raw.owners = records.owners;
  std::vector<std::string_view> keys;
  RETURN_IF_ERROR(TakeLast(records, &raw, &keys));
  const DecodeResult decoded = decoder_->Decode(raw);
  if (!decoded.bad.empty())
    return InvalidError(PlaceOfRecord(raw, decoded.bad.front().row) + ": " +
                        decoded.bad.front().message);
  std::vector<std::string_view> row_keys;
  for (size_t i = 0; i < decoded.batch.num_rows(); ++i)
    row_keys.push_back(keys[decoded.source_rows.empty() ? i : decoded.source_rows[i]]);
  ASSIGN_OR_RETURN(const std::vector<uint8_t> deleted, Deleted(decoded.batch));
  rows_.Set(decoded.batch, row_keys);
  for (size_t i = 0; i < row_keys.size(); ++i) {
    if (deleted[i] != 0) rows_.Remove(row_keys[i]);
  }
  return OkStatus();
}

std::string KafkaTableLoader::Version() const {
  std::string text = topic_id_;
  for (const auto& [partition, reach] : reaches_)
    text += " " + std::to_string(partition) + "=" + std::to_string(reach.next);
  return HexEncode(Sha256(text));
}

Result<TableVersionRef> KafkaTableLoader::Load() {
  RETURN_IF_ERROR(FindPartitions());
  RETURN_IF_ERROR(FindOffsets(kKafkaEarliest));
  RETURN_IF_ERROR(FindOffsets(kKafkaLatest));
  const bool current = std::all_of(reaches_.begin(), reaches_.end(), [](const auto& entry) {
    return entry.second.next >= entry.second.end;
  });
  if (current && last_ != nullptr) return last_;
  for (auto& [partition, reach] : reaches_) RETURN_IF_ERROR(ReadPartition(partition, &reach));
  ASSIGN_OR_RETURN(last_, TableVersion::Build(Version(), rows_.Rows(), key_, table_.max_rows));
  return last_;
}

Result<ProgramRef> CompileDeleteWhen(const api::Table& table, const Schema& schema) {
  if (!table.delete_when) return ProgramRef();
  std::vector<ExprError> errors;
  const Type expected(Kind::kBool);
  return Program::Compile(*table.delete_when, {schema, {}}, &errors, &expected);
}

}  // namespace

Result<std::unique_ptr<TableLoader>> MakeKafkaTableLoader(const api::Table& table,
                                                          const api::KafkaTable& kafka,
                                                          const TableLoaderOptions& options) {
  api::Diagnostics problems;
  ASSIGN_OR_RETURN(Schema declared, TableSchema(table, &problems, "table " + table.name));
  const auto schema = std::make_shared<Schema>(std::move(declared));
  std::vector<int> key;
  for (const std::string& name : table.key) key.push_back(schema->Find(name));
  ASSIGN_OR_RETURN(ProgramRef delete_when, CompileDeleteWhen(table, *schema));
  KafkaClientOptions client;
  client.brokers = kafka.brokers;
  client.tls = kafka.tls;
  client.sasl = kafka.sasl;
  client.secrets_directory = options.secrets_directory;
  ASSIGN_OR_RETURN(std::unique_ptr<KafkaCluster> cluster,
                   KafkaCluster::Create(client, options.clock));
  ASSIGN_OR_RETURN(std::unique_ptr<Decoder> decoder, MakeDecoder(*table.format, schema));
  return std::unique_ptr<TableLoader>(std::make_unique<KafkaTableLoader>(
      table, kafka.topic, schema, std::move(key), std::move(delete_when), std::move(cluster),
      std::move(decoder), options.stop));
}

}  // namespace millrace::worker
