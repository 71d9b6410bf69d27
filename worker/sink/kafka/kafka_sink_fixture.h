#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "worker/sink/kafka/fake_kafka.h"
#include "worker/sink/kafka/kafka_sink.h"
#include "worker/sink/word_rows.h"

namespace millrace::worker {

// Sinks of topic "words" (key: the word) in a FakeKafka.
class KafkaSinkFixture : public ::testing::Test {
 protected:
  KafkaSinkFixture() { kafka_.topics["words"]; }

  static ProgramRef Compile(const std::string& text) {
    std::vector<ExprError> errors;
    return Program::Compile(text, {*WordSchema(), {}}, &errors).value();
  }

  std::unique_ptr<KafkaSink> Make(const std::string& topic_expr = "", bool ledger = true) {
    KafkaSinkOptions options;
    options.name = "out";
    options.topic = topic_expr.empty() ? "words" : "";
    options.clock = &clock_;
    options.transaction_prefix = "job.out.";
    KafkaExpressions expressions;
    expressions.key = Compile("word");
    expressions.headers.emplace_back("n", Compile("string(count)"));
    expressions.partition = Compile("count < 10 ? count : -1");
    if (!topic_expr.empty()) expressions.topic = Compile(topic_expr);
    const Projection projection(*WordSchema(), std::nullopt);
    KafkaRowBuilder builder(expressions, options.topic, projection,
                            MakeEncoder(api::JsonFormat{}, projection.schema()).value());
    KafkaSinkPeers peers;
    peers.admin = std::make_unique<FakeAdmin>(&kafka_);
    if (ledger) peers.ledger = std::make_unique<FakeLedger>(&kafka_);
    peers.make_producer =
        [this](const KafkaProducerOptions& producer) -> Result<std::unique_ptr<KafkaProducer>> {
      return std::unique_ptr<KafkaProducer>(
          std::make_unique<FakeProducer>(&kafka_, producer.transactional_id));
    };
    return std::make_unique<KafkaSink>(std::move(options), std::move(builder), std::move(peers));
  }

  Status Deliver(KafkaSink* sink, int64_t batch, const std::vector<WordRow>& rows,
                 const std::string& digest = "aa") {
    return DeliverParts(sink, batch, {WordPart("counts", 0, rows)}, digest);
  }
  Status DeliverParts(KafkaSink* sink, int64_t batch, const std::vector<SinkPart>& parts,
                      const std::string& digest = "aa") {
    return sink->Deliver({batch, clock_.Now(), "g", digest}, parts, &rejected_);
  }

  std::vector<std::string> Keys(const std::string& topic) {
    std::vector<std::string> keys;
    for (const FakeRecord& record : kafka_.topics[topic]) keys.push_back(*record.key);
    return keys;
  }

  FakeKafka kafka_;
  ManualClock clock_{TimePoint(std::chrono::seconds(1000))};
  std::vector<RejectedRow> rejected_;
};

}  // namespace millrace::worker
