// One seat of a Kafka sink, told what to do by standard input, for tests of several seats. Usage:
//   kafka_seat BROKERS GENERATION SLOT SLOTS MAX_SLOTS
// Writes topic "rows" as sink "out" of job "seats". Each command is answered by one line, "ok ..."
// or "<code>: <message>":
//   open                      the seat, with no batch committed
//   skip                      reads the ledger and leaves out what it names; tells batch, number of
//                             tasks, slots and fence
//   deliver BATCH UNIT...     one row "<batch>/<unit>" of each task
#include <iostream>
#include <sstream>

#include "worker/sink/factory.h"
#include "worker/sink/word_rows.h"

namespace millrace::worker {
namespace {

Result<std::unique_ptr<Sink>> MakeSeat(const std::string& brokers, Clock* clock) {
  api::KafkaSink kafka;
  kafka.brokers = {brokers};
  kafka.topic = "rows";
  api::Sink spec;
  spec.name = "out";
  spec.fields = {"word"};
  spec.format = api::Format(api::CsvFormat{});
  spec.kind = kafka;
  SinkOptions options;
  options.job_id = "seats";
  options.schema = WordSchema();
  options.clock = clock;
  return MakeSink(spec, options);
}

Status Deliver(Sink* sink, const std::string& generation, std::istream* words) {
  SinkBatch batch;
  *words >> batch.batch;
  batch.generation = generation;
  batch.digest = "d" + std::to_string(batch.batch);
  std::vector<SinkPart> parts;
  for (int unit = 0; *words >> unit;) {
    const std::string row = std::to_string(batch.batch) + "/" + std::to_string(unit);
    parts.push_back(WordPart("rows", unit, {{row, 1}}));
  }
  std::vector<RejectedRow> rejected;
  RETURN_IF_ERROR(sink->Deliver(batch, parts, &rejected));
  return rejected.empty() ? OkStatus() : InternalError(rejected.front().message);
}

Result<std::string> Skip(Sink* sink) {
  ASSIGN_OR_RETURN(const SinkLedger ledger, sink->ReadLedger());
  sink->Skip(ledger);
  return "batch " + std::to_string(ledger.batch) + " tasks " + std::to_string(ledger.tasks.size()) +
         " slots " + std::to_string(ledger.slots) + " fence " + std::to_string(ledger.fence);
}

Result<std::string> Obey(Sink* sink, const SinkSeat& seat, const std::string& line) {
  std::istringstream words(line);
  std::string command;
  words >> command;
  Status status = InvalidError("no such command: " + line);
  if (command == "skip") return Skip(sink);
  if (command == "open") status = sink->Open(seat);
  if (command == "deliver") status = Deliver(sink, seat.generation, &words);
  if (!status.ok()) return status;
  return std::string();
}

int Run(char** arguments) {
  SystemClock clock;
  Result<std::unique_ptr<Sink>> sink = MakeSeat(arguments[1], &clock);
  if (!sink.ok()) {
    std::cerr << sink.status() << std::endl;
    return 1;
  }
  SinkSeat seat = SoleSeat(arguments[2], 0);
  seat.slot = std::stoi(arguments[3]);
  seat.slots = std::stoi(arguments[4]);
  seat.max_slots = std::stoi(arguments[5]);
  for (std::string line; std::getline(std::cin, line);) {
    const Result<std::string> answer = Obey(sink->get(), seat, line);
    std::cout << (answer.ok() ? "ok " + *answer : answer.status().ToString()) << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace millrace::worker

int main(int count, char** arguments) {
  if (count == 6) return millrace::worker::Run(arguments);
  std::cerr << "usage: kafka_seat BROKERS GENERATION SLOT SLOTS MAX_SLOTS" << std::endl;
  return 2;
}
