// Reads topics as the engine does and says what it costs, or prints the records.
//   kafka_drain BROKERS TOPIC [keys] [timestamps] [headers] [uncommitted] [print] [from=N] [to=N]
//   [runs=N]
//               [tls=SECRET] [sasl=MECHANISM:SECRET] [secrets=DIR] [PROPERTY=VALUE ...]
// print: one JSON line per record on stdout. Otherwise one line per run: records, MB, records/s,
// CPU seconds per million records.
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <limits>
#include <map>
#include <string>

#include "crds/base/text.h"
#include "worker/client/kafka/cluster.h"

namespace millrace::worker {
namespace {

struct Arguments {
  KafkaClientOptions options;
  std::string topic;
  KafkaColumns columns;
  KafkaIsolation isolation = KafkaIsolation::kReadCommitted;
  bool print = false;
  int64_t from = -1;
  int64_t to = -1;
  int runs = 1;
};

const std::map<std::string, api::SaslMechanism> kMechanisms{
    {"PLAIN", api::SaslMechanism::kPlain},
    {"SCRAM-SHA-256", api::SaslMechanism::kScramSha256},
    {"SCRAM-SHA-512", api::SaslMechanism::kScramSha512},
    {"OAUTHBEARER", api::SaslMechanism::kOAuthBearer}};

Status SetOption(const std::string& name, const std::string& value, Arguments* arguments) {
  if (name == "from") {
    arguments->from = std::atoll(value.c_str());
  } else if (name == "to") {
    arguments->to = std::atoll(value.c_str());
  } else if (name == "runs") {
    arguments->runs = std::atoi(value.c_str());
  } else if (name == "secrets") {
    arguments->options.secrets_directory = value;
  } else if (name == "tls") {
    arguments->options.tls = api::Tls{.secret_name = value, .server_name = std::nullopt};
  } else if (name == "sasl") {
    const size_t colon = value.find(':');
    const auto mechanism = kMechanisms.find(value.substr(0, colon));
    if (mechanism == kMechanisms.end() || colon == std::string::npos)
      return InvalidError("sasl is MECHANISM:SECRET");
    api::Sasl sasl;
    sasl.mechanism = mechanism->second;
    sasl.secret_name = value.substr(colon + 1);
    arguments->options.sasl = sasl;
  } else {
    arguments->options.properties[name] = value;
  }
  return OkStatus();
}

Result<Arguments> Parse(int count, char** words) {
  if (count < 3)
    return InvalidError(
        "usage: kafka_drain BROKERS TOPIC [OPTION ...]; see the head of the source");
  Arguments arguments;
  for (const std::string_view broker : Split(words[1], ','))
    arguments.options.brokers.emplace_back(broker);
  arguments.topic = words[2];
  const std::map<std::string, bool*> flags{{"keys", &arguments.columns.keys},
                                           {"timestamps", &arguments.columns.timestamps},
                                           {"headers", &arguments.columns.headers},
                                           {"print", &arguments.print}};
  for (int i = 3; i < count; ++i) {
    const std::string word = words[i];
    const size_t equals = word.find('=');
    if (equals != std::string::npos) {
      RETURN_IF_ERROR(SetOption(word.substr(0, equals), word.substr(equals + 1), &arguments));
    } else if (word == "uncommitted") {
      arguments.isolation = KafkaIsolation::kReadUncommitted;
    } else if (const auto flag = flags.find(word); flag != flags.end()) {
      *flag->second = true;
    } else {
      return InvalidError("unknown option " + word);
    }
  }
  return arguments;
}

std::string Quoted(std::string_view bytes, bool null) {
  return null ? "null" : "\"" + HexEncode(bytes) + "\"";
}

void Print(int partition, const KafkaRecords& records, KafkaColumns columns) {
  for (size_t i = 0; i < records.size(); ++i) {
    std::string line = "{\"partition\":" + std::to_string(partition) +
                       ",\"offset\":" + std::to_string(records.offset(i));
    line += ",\"value\":" +
            Quoted(records.values[i], !records.null_values.empty() && records.null_values[i] != 0);
    if (columns.keys) {
      line += ",\"key\":" +
              Quoted(records.keys[i], !records.null_keys.empty() && records.null_keys[i] != 0);
    }
    if (columns.timestamps) line += ",\"timestamp\":" + std::to_string(records.timestamps_ms[i]);
    if (columns.headers) {
      std::string list;
      const Status status = ForEachKafkaHeader(records.headers[i], [&](const KafkaHeader& header) {
        list += (list.empty() ? "[" : ",[") + JsonQuote(header.name) + "," +
                Quoted(header.value, header.null) + "]";
      });
      if (!status.ok()) std::cerr << status << "\n";
      line += ",\"headers\":[" + list + "]";
    }
    std::puts((line + "}").c_str());
  }
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

struct Work {
  std::string topic_id;
  std::vector<KafkaRange> ranges;
};

Result<Work> FindRanges(KafkaCluster* cluster, const Arguments& arguments) {
  ASSIGN_OR_RETURN(const auto topics, cluster->Metadata({arguments.topic}, {}));
  RETURN_IF_ERROR(topics.at(0).status);
  Work work{topics[0].id, {}};
  std::vector<KafkaOffsetQuery> queries;
  for (const KafkaPartitionInfo& partition : topics[0].partitions) {
    queries.push_back({{arguments.topic, partition.partition}, kKafkaEarliest});
    queries.push_back({{arguments.topic, partition.partition}, kKafkaLatest});
  }
  ASSIGN_OR_RETURN(const auto offsets, cluster->ListOffsets(queries, arguments.isolation, {}));
  for (size_t i = 0; i < offsets.size(); i += 2) {
    RETURN_IF_ERROR(offsets[i].status);
    RETURN_IF_ERROR(offsets[i + 1].status);
    const int64_t from = arguments.from >= 0 ? arguments.from : offsets[i].offset;
    const int64_t to = arguments.to >= 0 ? arguments.to : offsets[i + 1].offset;
    work.ranges.push_back({offsets[i].where, work.topic_id, from, to});
  }
  return work;
}

Status Drain(KafkaCluster* cluster, const Arguments& arguments, const Work& work) {
  const auto start = std::chrono::steady_clock::now();
  const double cpu_start = CpuSeconds();
  uint64_t records = 0;
  uint64_t bytes = 0;
  for (const KafkaRange& range : work.ranges) {
    const KafkaVisitor visitor = [&](const KafkaRecords& got) {
      records += got.size();
      // The payloads of a call stand side by side: first and last tell how much there was, without
      // touching each.
      if (got.size() > 0 && got.owners.size() == 1) {
        bytes += static_cast<uint64_t>(got.values.back().data() + got.values.back().size() -
                                       got.values.front().data());
      }
      if (arguments.print) Print(range.where.partition, got, arguments.columns);
      return OkStatus();
    };
    RETURN_IF_ERROR(cluster->Fetch(range, arguments.isolation, arguments.columns, visitor, {}));
  }
  if (arguments.print) return OkStatus();
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  const double cpu = CpuSeconds() - cpu_start;
  std::printf("%lu records, %.1f MB, %.2f M records/s, %.0f MB/s, %.4f CPU-s per million\n",
              records, static_cast<double>(bytes) / 1e6,
              static_cast<double>(records) / seconds / 1e6,
              static_cast<double>(bytes) / seconds / 1e6,
              records == 0 ? 0 : cpu / static_cast<double>(records) * 1e6);
  return OkStatus();
}

Status Run(int count, char** words) {
  ASSIGN_OR_RETURN(const Arguments arguments, Parse(count, words));
  SystemClock clock;
  ASSIGN_OR_RETURN(const auto cluster, KafkaCluster::Create(arguments.options, &clock));
  ASSIGN_OR_RETURN(const Work work, FindRanges(cluster.get(), arguments));
  for (int i = 0; i < arguments.runs; ++i) RETURN_IF_ERROR(Drain(cluster.get(), arguments, work));
  return OkStatus();
}

}  // namespace
}  // namespace millrace::worker

int main(int count, char** words) {
  const millrace::Status status = millrace::worker::Run(count, words);
  if (status.ok()) return 0;
  std::cerr << "kafka_drain: " << status << "\n";
  return 1;
}
