// What decoding, encoding and reading timestamps costs per record: plain loops over prepared
// records, best of several rounds. Usage: format_bench [rounds]
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "worker/data/format.h"

namespace millrace::worker {
namespace {

constexpr size_t kRecords = 2'000;  // a round is shorter than a time slice of a busy machine

double NanosSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start).count();
}

template <typename Work>
void Measure(const char* name, int rounds, size_t records, const Work& work) {
  double best = 0;
  for (int i = 0; i < rounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const double nanos = NanosSince(start) / static_cast<double>(records);
    if (i == 0 || nanos < best) best = nanos;
  }
  std::printf("%-28s %8.1f ns/record %8.2f M/s\n", name, best, 1e3 / best);
}

template <typename MakeRecord>
RawRecords Records(const MakeRecord& make) {
  auto block = std::make_shared<std::string>();
  std::vector<size_t> ends;
  for (size_t i = 0; i < kRecords; ++i) {
    *block += make(i);
    ends.push_back(block->size());
    *block += '\n';
  }
  block->append(Arena::kPadding, ' ');
  RawRecords raw;
  size_t begin = 0;
  for (const size_t end : ends) {
    raw.payloads.push_back(std::string_view(*block).substr(begin, end - begin));
    begin = end + 1;
  }
  raw.owners.push_back(block);
  return raw;
}

// About 250 bytes, ten members, as an advertising event has them.
std::string Event(size_t i) {
  const std::string n = std::to_string(100'000 + i * 7919 % 900'000);
  return R"({"user_id":"5b1b9a9e-3c3e-4f83-a6a1-4d1b7d)" + n +
         R"(","page_id":"9b1deb4d-3b7d-4bad-9bdd-2b0d7b)" + n +
         R"(","ad_id":"1b9d6bcd-bbfd-4b2d-9b5d-ab8dfb)" + n +
         R"(","ad_type":"banner","event_type":")" + (i % 3 == 0 ? "view" : "purchase") +
         R"(","event_time":1717245)" + n + R"(,"ip":"10.0.0.)" + std::to_string(i % 250) +
         R"(","price":)" + std::to_string(i % 100) + R"(.5})";
}

void Decode(const char* name, int rounds, const api::Format& format, const RawRecords& raw) {
  api::Diagnostics diagnostics;
  auto schema = std::make_shared<Schema>(*DeclaredSchema(format, &diagnostics, "format"));
  auto decoder = *MakeDecoder(format, schema);
  size_t good = 0;
  Measure(name, rounds, kRecords, [&] { good = decoder->Decode(raw).batch.num_rows(); });
  if (good != kRecords) std::printf("%s: %zu of %zu records decoded\n", name, good, kRecords);
}

void MeasureJson(int rounds) {
  api::JsonFormat json;
  json.schema = {{"ad_id", "string"},
                 {"event_type", "string"},
                 {"event_time", "timestamp"},
                 {"price", "double"}};
  json.timestamp_format.kind = api::TimestampKind::kUnixMicros;
  const RawRecords raw = Records(Event);
  std::printf("json event of %zu bytes\n", raw.payloads[0].size());
  Decode("decode json, 4 of 8 fields", rounds, json, raw);
  Decode("decode json, no schema", rounds, api::JsonFormat{}, raw);
  Decode("decode text", rounds, api::TextFormat{}, raw);

  auto schema = std::make_shared<Schema>(
      Schema({{"ad_id", Type(Kind::kString)}, {"price", Type(Kind::kDouble)}}));
  const RecordBatch batch = (*MakeDecoder(json, schema))->Decode(raw).batch;
  auto encoder = *MakeEncoder(api::JsonFormat{}, schema);
  std::string out;
  Measure("encode json, 2 fields", rounds, kRecords, [&] {
    out.clear();
    std::vector<BadRecord> bad;
    encoder->Encode(batch, &out, nullptr, &bad);
  });
}

void MeasureTimestamps(int rounds) {
  const std::string text = "2024-06-01T12:34:56.789Z";
  volatile int64_t sink = 0;
  Measure("read RFC 3339", rounds, kRecords, [&] {
    for (size_t i = 0; i < kRecords; ++i) sink = *ParseTimestampMicros({}, text);
  });
}

}  // namespace
}  // namespace millrace::worker

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 500;
  millrace::worker::MeasureJson(rounds);
  millrace::api::CsvFormat csv;
  csv.schema = {{"id", "int"}, {"name", "string"}, {"price", "double"}};
  csv.columns = {{"id", "name", "price", "rest"}};
  const auto line = [](size_t i) {
    return std::to_string(i) + ",\"name of " + std::to_string(i) + "\",1.5,unread text";
  };
  millrace::worker::Decode("decode csv, 3 of 4 columns", rounds, csv,
                           millrace::worker::Records(line));
  millrace::worker::MeasureTimestamps(rounds);
}
