#include "worker/source/kafka/kafka_hidden.h"

#include <map>
#include <string_view>
#include <utility>

namespace millrace::worker {
namespace {

constexpr std::string_view kKey = "__key";
constexpr std::string_view kTopic = "__topic";
constexpr std::string_view kPartition = "__partition";
constexpr std::string_view kOffset = "__offset";
constexpr std::string_view kTimestamp = "__timestamp";
constexpr std::string_view kHeaders = "__headers";
constexpr std::string_view kTombstone = "__tombstone";
constexpr int64_t kMicrosPerMilli = 1000;

Type HeadersType() { return Type::Map(Type(Kind::kString), Type(Kind::kBytes)); }

std::shared_ptr<Column> Ints(Kind kind, std::vector<int64_t> values) {
  auto column = std::make_shared<Column>(Type(kind));
  column->set_size(values.size());
  column->ints = std::move(values);
  return column;
}

std::vector<int64_t> OffsetsOf(const KafkaRecords& records) {
  if (!records.offsets.empty()) return records.offsets;
  std::vector<int64_t> offsets;
  offsets.reserve(records.values.size());
  for (size_t i = 0; i < records.values.size(); ++i)
    offsets.push_back(records.first_offset + static_cast<int64_t>(i));
  return offsets;
}

std::vector<int64_t> MicrosOf(const KafkaRecords& records) {
  std::vector<int64_t> micros;
  micros.reserve(records.timestamps_ms.size());
  for (const int64_t millis : records.timestamps_ms) micros.push_back(millis * kMicrosPerMilli);
  return micros;
}

std::shared_ptr<Column> Keys(const KafkaRecords& records) {
  auto column = std::make_shared<Column>(Type(Kind::kBytes).AsNullable());
  column->Reserve(records.keys.size());
  for (size_t i = 0; i < records.keys.size(); ++i) {
    const bool null = !records.null_keys.empty() && records.null_keys[i] != 0;
    if (null)
      column->AppendNull();
    else
      column->AppendView(records.keys[i]);
  }
  return column;
}

Result<std::shared_ptr<Column>> Headers(const KafkaRecords& records) {
  auto column = std::make_shared<Column>(HeadersType());
  std::map<std::string_view, std::string_view> row;
  for (const std::string_view raw : records.headers) {
    row.clear();
    RETURN_IF_ERROR(ForEachKafkaHeader(
        raw, [&row](const KafkaHeader& header) { row[header.name] = header.value; }));
    for (const auto& [name, value] : row) {
      column->children[0]->AppendView(name);
      column->children[1]->AppendView(value);
    }
    column->FinishList();
  }
  for (const auto& child : column->children) {
    for (const Owner& owner : records.owners) child->AddOwner(owner);
  }
  return column;
}

}  // namespace

void KafkaHiddenFields::AddTo(Schema* schema) {
  schema->Set({std::string(kKey), Type(Kind::kBytes, true)});
  schema->Set({std::string(kTopic), Type(Kind::kString)});
  schema->Set({std::string(kPartition), Type(Kind::kInt)});
  schema->Set({std::string(kOffset), Type(Kind::kInt)});
  schema->Set({std::string(kTimestamp), Type(Kind::kTimestamp)});
  schema->Set({std::string(kHeaders), HeadersType()});
  schema->Set({std::string(kTombstone), Type(Kind::kBool)});
}

KafkaHiddenFields::KafkaHiddenFields(const Schema* wanted) {
  const auto wants = [wanted](std::string_view name) {
    return wanted == nullptr || wanted->Find(name) >= 0;
  };
  key_ = wants(kKey);
  topic_ = wants(kTopic);
  partition_ = wants(kPartition);
  offset_ = wants(kOffset);
  timestamp_ = wants(kTimestamp);
  headers_ = wants(kHeaders);
  tombstone_ = wants(kTombstone);
}

Status KafkaHiddenFields::Fill(const KafkaRecords& records,
                               const std::shared_ptr<const std::string>& topic, int partition,
                               RawRecords* raw) const {
  const size_t rows = records.values.size();
  const auto add = [raw](std::string_view name, std::shared_ptr<Column> column) {
    raw->hidden.emplace_back(name, std::move(column));
  };
  if (key_) {
    auto keys = Keys(records);
    for (const Owner& owner : records.owners) keys->AddOwner(owner);
    add(kKey, std::move(keys));
  }
  if (topic_) {
    auto column = std::make_shared<Column>(Type(Kind::kString));
    column->strings.assign(rows, *topic);
    column->set_size(rows);
    column->AddOwner(topic);
    add(kTopic, std::move(column));
  }
  if (partition_) add(kPartition, Ints(Kind::kInt, std::vector<int64_t>(rows, partition)));
  if (offset_) add(kOffset, Ints(Kind::kInt, OffsetsOf(records)));
  if (timestamp_) add(kTimestamp, Ints(Kind::kTimestamp, MicrosOf(records)));
  if (headers_) {
    ASSIGN_OR_RETURN(auto headers, Headers(records));
    add(kHeaders, std::move(headers));
  }
  if (tombstone_) {
    auto column = std::make_shared<Column>(Type(Kind::kBool));
    column->bools = records.null_values;
    column->bools.resize(rows);
    column->set_size(rows);
    add(kTombstone, std::move(column));
  }
  return OkStatus();
}

}  // namespace millrace::worker
