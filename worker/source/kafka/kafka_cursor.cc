#include "worker/source/kafka/kafka_cursor.h"

#include "crds/base/text.h"
#include "worker/source/position.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kFirstLine = "kafka\t1";

Status Damaged(std::string_view line) {
  return InternalError("damaged Kafka cursor: " + Excerpt(line));
}

Result<int64_t> Number(std::string_view text, std::string_view line) {
  const std::optional<int64_t> number = ParseNumber(text);
  if (!number) return Damaged(line);
  return *number;
}

Result<KafkaUnit> DecodeUnit(const std::vector<std::string_view>& fields, std::string_view line) {
  KafkaUnit unit;
  unit.topic = std::string(fields[1]);
  ASSIGN_OR_RETURN(const int64_t partition, Number(fields[2], line));
  unit.partition = static_cast<int>(partition);
  ASSIGN_OR_RETURN(unit.start, Number(fields[3], line));
  if (fields[4] != "-") {
    ASSIGN_OR_RETURN(unit.end, Number(fields[4], line));
  }
  return unit;
}

}  // namespace

int KafkaCursor::Find(std::string_view topic, int partition) const {
  for (size_t i = 0; i < units.size(); ++i) {
    if (units[i].partition == partition && units[i].topic == topic) return static_cast<int>(i);
  }
  return -1;
}

std::string KafkaCursor::Encode() const {
  std::string text(kFirstLine);
  for (const auto& [name, id] : topic_ids) text += "\ntopic\t" + name + "\t" + id;
  for (const KafkaUnit& unit : units) {
    text += "\nunit\t" + unit.topic + "\t" + std::to_string(unit.partition) + "\t" +
            std::to_string(unit.start) + "\t" + (unit.end ? std::to_string(*unit.end) : "-");
  }
  return text;
}

Result<KafkaCursor> KafkaCursor::Decode(std::string_view text) {
  KafkaCursor cursor;
  if (text.empty()) return cursor;
  const std::vector<std::string_view> lines = Split(text, '\n');
  if (lines.front() != kFirstLine) return Damaged(lines.front());
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::vector<std::string_view> fields = Split(lines[i], '\t');
    if (fields.size() == 3 && fields[0] == "topic") {
      cursor.topic_ids[std::string(fields[1])] = std::string(fields[2]);
    } else if (fields.size() == 5 && fields[0] == "unit") {
      ASSIGN_OR_RETURN(KafkaUnit unit, DecodeUnit(fields, lines[i]));
      cursor.units.push_back(std::move(unit));
    } else {
      return Damaged(lines[i]);
    }
  }
  return cursor;
}

std::string KafkaProof::Encode() const {
  return topic + "\t" + std::to_string(partition) + "\t" + topic_id;
}

Result<KafkaProof> KafkaProof::Decode(std::string_view text) {
  const std::vector<std::string_view> fields = Split(text, '\t');
  if (fields.size() != 3) return Damaged(text);
  ASSIGN_OR_RETURN(const int64_t partition, Number(fields[1], text));
  return KafkaProof{std::string(fields[0]), static_cast<int>(partition), std::string(fields[2])};
}

std::string KafkaPartitionName(std::string_view topic, int partition) {
  return std::string(topic) + "/" + std::to_string(partition);
}

}  // namespace millrace::worker
