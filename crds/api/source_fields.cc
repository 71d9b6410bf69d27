#include "crds/api/slots.h"

namespace millrace::api {
namespace {

// The file source's start is an enumeration in spec.h and a union in the manifest, as Kafka's is.
void DescribeFileStart(Fields& fields, FileSource::Start& target) {
  fields.OnUnion(
      Optional("startFrom", "Which files the first start reads.", "earliest"),
      {.choices = {{"earliest", "All files that are there."},
                   {"latest", "Only files that appear from now on."}},
       .selected = [&]() -> std::optional<size_t> { return static_cast<size_t>(target); },
       .select = [&](size_t index) { target = static_cast<FileSource::Start>(index); },
       .describe = [](Fields&) {}});
}

std::vector<Choice> StartChoices() {
  return {{"earliest", "The oldest record there is."},
          {"latest", "Only records written from now on."},
          {"timestamp", "The first record at or after a time."},
          {"offsets", "Given offsets by topic/partition."}};
}

}  // namespace

void Describe(Fields&, StartFromEarliest&) {}
void Describe(Fields&, StartFromLatest&) {}

void Describe(Fields& fields, StartFromOffsets& value) {
  using Map = std::map<std::string, std::string>;
  fields.OnStringMap(Required("", "First offset of each topic/partition.", "{lines/0: 42}"),
                     {.key = &kTopicPartition,
                      .value = &kOffset,
                      .min = 1,
                      .max = kMaxEntries,
                      .get = [&]() -> std::optional<Map> {
                        Map texts;
                        for (const auto& [partition, offset] : value.offsets)
                          texts[partition] = std::to_string(offset);
                        return texts;
                      },
                      .set =
                          [&](const Map& texts) {
                            for (const auto& [partition, offset] : texts)
                              value.offsets[partition] = std::stoll(offset);
                          }});
}

void DescribeKafkaStart(Fields& fields, const Field& field, KafkaStart& target) {
  Union(fields, field, target, StartChoices());
}

void DescribeKafkaStart(Fields& fields, const Field& field, std::optional<KafkaStart>& target) {
  Union(fields, field, target, StartChoices());
}

void Describe(Fields& fields, KafkaSource& value) {
  DescribeBrokers(fields, value.brokers);
  Strings(fields, Optional("topics", "Topics to read.", "none", "[lines]"), value.topics, kTopic,
          1);
  Text(fields,
       Optional("topicPattern", "Regular expression (RE2) that a topic's whole name matches.",
                "none", "\"orders-.*\""),
       value.topic_pattern, kRegexText);
  fields.OneOf({"topics", "topicPattern"}, true);
  DescribeKafkaStart(
      fields,
      Optional("startFrom", "Where the first start begins; later starts go on where they were.",
               "latest"),
      value.start_from);
  Union(fields, Optional("endAt", "Where the source ends.", "none"), value.end_at,
        {{"latest", "The end of each partition as found at the start."},
         {"timestamp", "The first record at or after a time."}});
  Text(fields,
       Optional("groupId", "Consumer group to which offsets are mirrored for lag tools.",
                "millrace.<namespace>.<job>"),
       value.group_id, kNonEmptyText);
  Enum(fields,
       Optional("onMissingOffsets",
                "What to do when the next records were deleted before they were read."),
       value.on_missing_offsets, {"Fail", "Earliest", "Latest"});
  Enum(fields,
       Optional("tombstones", "What a record without value is; Keep needs every field nullable."),
       value.tombstones, {"Error", "Skip", "Keep"});
  Enum(fields,
       Optional("isolation",
                "Whether records of open and aborted transactions are left out or read as well."),
       value.isolation, {"ReadCommitted", "ReadUncommitted"});
  DescribeTls(fields, value.tls);
  DescribeSasl(fields, value.sasl);
  DescribeProperties(fields, value.properties);
}

void Describe(Fields& fields, FileSource& value) {
  Text(fields,
       Required("path", "Directory or glob; files must appear there by rename.", "/data/in"),
       value.path, kPath);
  Bool(fields, Optional("watch", "Goes on looking for files; false reads what is there and ends."),
       value.watch);
  Bool(fields, Optional("follow", "Reads whole lines as they are appended to growing files."),
       value.follow);
  DescribeFileStart(fields, value.start_from);
  Int(fields, Optional("maxFilesPerBatch", "Files one batch takes at most."),
      value.max_files_per_batch, 1, 1'000'000);
  Enum(fields, Optional("compression", "Compression of the files; Auto goes by the name's ending."),
       value.compression, {"Auto", "None", "Gzip", "Zstd", "", ""});
}

void Describe(Fields& fields, SocketSource& value) {
  Text(fields, Required("host", "Host to connect to.", "localhost"), value.host, kHost);
  Int(fields, Required("port", "Port to connect to.", "9999"), value.port, 1, 65535);
  Interval(fields, Optional("reconnectDelay", "Pause before the next attempt to connect."),
           value.reconnect_delay);
}

void Describe(Fields& fields, HttpSource& value) {
  Int(fields, Required("port", "Port to listen on.", "8080"), value.port, 0, 65535);
  Text(fields, Optional("path", "Path that takes POST requests."), value.path, kSubpath);
  Quantity(fields, Optional("maxBody", "Largest request body in bytes."), value.max_body_bytes);
  DescribeAuth(fields, value.auth);
}

void Describe(Fields& fields, GeneratorSource& value) {
  StringMap(fields,
            Optional("fields", "Field -> expression over seq: int.", "none",
                     "{id: seq, kind: '\"k\" + string(seq % 3)'}"),
            value.fields, kName, kExpressionText, 1);
  Enum(fields, Optional("preset", "A well-known stream instead of own fields.", "none"),
       value.preset, {"Nexmark", "Ysb"});
  fields.OneOf({"fields", "preset"}, true);
  Int(fields, Optional("rate", "Records a second over all partitions."), value.rate, 1,
      1'000'000'000);
  Int(fields, Optional("count", "Records in all.", "endless"), value.count, 1);
  Int(fields, Optional("partitions", "Partitions that share the sequence."), value.partitions, 1,
      4096);
}

void Describe(Fields&, StdinSource&) {}

void Describe(Fields& fields, EventTime& value) {
  Text(fields, Required("timestampExpr", "When the record happened; of type timestamp.", "at"),
       value.timestamp_expr, kExpressionText);
  Interval(fields, Optional("watermarkDelay", "How late a record may be."), value.watermark_delay,
           Duration(0));
  Interval(fields,
           Optional("idleTimeout", "After this silence a partition stops holding the watermark."),
           value.idle_timeout);
  Interval(fields,
           Optional("maxFuture", "A record further ahead of the batch time is a bad record."),
           value.max_future, Duration(0));
}

void Describe(Fields& fields, Source& value) {
  Text(fields,
       Required("name", "Name of the source, unique among sources, streams and tables.", "lines"),
       value.name, kName);
  Union(fields, Required("", ""), value.kind,
        {{"file", "Reads files of a folder."},
         {"socket", "Connects to a host and reads lines."},
         {"http", "Accepts POST requests, one record a line; answers when they are durable."},
         {"generator", "Makes records; every run gives the same."},
         {"stdin", "Reads standard input; local runs only."},
         {"kafka", "Reads Kafka topics."}});
  DescribeFormat(
      fields, Optional("format", "How bytes become records; required but for generator.", "none"),
      value.format);
  Object(fields, Optional("eventTime", "Gives the records event time.", "none"), value.event_time);
  Int(fields,
      Optional("maxRatePerPartition", "Records a second that one partition gives at most.", "none"),
      value.max_rate_per_partition, 1);
  DescribeOnError(fields, value.on_error, false, "What a record that does not decode does.");
}

}  // namespace millrace::api
