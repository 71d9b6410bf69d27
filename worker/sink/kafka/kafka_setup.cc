#include "worker/sink/kafka/kafka_setup.h"

#include <algorithm>
#include <charconv>

#include "crds/base/text.h"
#include "worker/data/format.h"
#include "worker/sink/kafka/kafka_sink.h"
#include "worker/sink/kafka/topic_book.h"

namespace millrace::worker {
namespace {

constexpr Duration kLeastTransactionTimeout = std::chrono::seconds(1);

// Type-checks the expressions one by one. A null `diagnostics` drops the problems.
class ExpressionReader {
 public:
  ExpressionReader(const Schema& schema, api::Diagnostics* diagnostics, const std::string& path)
      : env_{schema, {}}, diagnostics_(diagnostics), path_(path) {}

  KafkaExpressions Read(const api::KafkaSink& kafka) {
    KafkaExpressions result;
    result.topic = Read(kafka.topic_expr, ".topicExpr", {Kind::kString}, false);
    result.key = Read(kafka.key_expr, ".keyExpr", {Kind::kString, Kind::kBytes}, true);
    for (const auto& [name, text] : kafka.header_exprs) {
      result.headers.emplace_back(name,
                                  Read(std::optional<api::Expression>(text), ".headerExprs." + name,
                                       {Kind::kString, Kind::kBytes}, true));
    }
    result.timestamp = Read(kafka.timestamp_expr, ".timestampExpr", {Kind::kTimestamp}, true);
    result.partition = Read(kafka.partition_expr, ".partitionExpr", {Kind::kInt}, true);
    result.delete_when = Read(kafka.delete_when, ".deleteWhen", {Kind::kBool}, true);
    return result;
  }

 private:
  ProgramRef Read(const std::optional<api::Expression>& text, const std::string& field,
                  const std::vector<Kind>& kinds, bool nullable) {
    if (!text) return nullptr;
    std::vector<ExprError> errors;
    const auto program = Program::Compile(*text, env_, &errors);
    for (const ExprError& error : errors) Error(field, error.message, error.offset);
    if (!program.ok()) {
      if (errors.empty()) Error(field, program.status().message());
      return nullptr;
    }
    const Type& type = (*program)->type();
    if (std::find(kinds.begin(), kinds.end(), type.kind()) == kinds.end()) {
      Error(field, "must be " + Names(kinds) + ", but this is " + type.ToString() + Hint(kinds));
      return nullptr;
    }
    if (type.nullable() && !nullable) {
      Error(field, "must not be null, but this is " + type.ToString() + "; use coalesce");
      return nullptr;
    }
    return *program;
  }

  static std::string Names(const std::vector<Kind>& kinds) {
    std::vector<std::string> names;
    for (const Kind kind : kinds) names.push_back(Type(kind).ToString());
    return Join(names, " or ");
  }
  static std::string Hint(const std::vector<Kind>& kinds) {
    return kinds.front() == Kind::kString ? "; string(x) makes text of it" : "";
  }
  void Error(const std::string& field, std::string message, int offset = -1) {
    if (diagnostics_ != nullptr) {
      api::AddError(diagnostics_, path_ + field, std::move(message), offset);
    }
  }

  const ExprEnv env_;
  api::Diagnostics* diagnostics_;
  const std::string path_;
};

std::optional<int64_t> BytesProperty(const api::KafkaSink& kafka, const std::string& name) {
  const auto found = kafka.properties.find(name);
  if (found == kafka.properties.end()) return std::nullopt;
  const std::string& text = found->second;
  int64_t bytes = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), bytes);
  const bool good = parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
  return good ? bytes : 0;
}

KafkaSinkOptions OptionsOf(const api::KafkaSink& kafka, const api::Sink& spec,
                           const SinkOptions& options) {
  KafkaSinkOptions sink;
  sink.name = spec.name;
  sink.topic = kafka.topic.value_or("");
  sink.exactly_once = spec.delivery != api::Delivery::kAtLeastOnce;
  sink.create_topic = kafka.create_topic;
  sink.max_message_bytes = BytesProperty(kafka, "message.max.bytes");
  sink.clock = options.clock;
  sink.stop = options.stop;
  sink.producer.client.brokers = kafka.brokers;
  sink.producer.client.tls = kafka.tls;
  sink.producer.client.sasl = kafka.sasl;
  sink.producer.client.properties = kafka.properties;
  sink.producer.client.secrets_directory = options.secrets_directory;
  sink.producer.compression = kafka.compression;
  sink.producer.transaction_timeout = kafka.transaction_timeout;
  sink.producer.max_batch_bytes =
      BytesProperty(kafka, "batch.size").value_or(sink.producer.max_batch_bytes);
  if (sink.exactly_once) sink.transaction_prefix = options.job_id + "." + spec.name + ".";
  return sink;
}

}  // namespace

void CheckKafkaSink(const api::KafkaSink& kafka, const Schema& schema, bool updating,
                    api::Diagnostics* diagnostics, const std::string& path) {
  ExpressionReader(schema, diagnostics, path).Read(kafka);
  if (kafka.transaction_timeout < kLeastTransactionTimeout) {
    api::AddError(diagnostics, path + ".transactionTimeout",
                  "must be at least " + FormatDuration(kLeastTransactionTimeout));
  }
  if (updating && !kafka.key_expr) {
    api::AddError(diagnostics, path,
                  "an updating stream replaces rows by their key: give a keyExpr");
  }
  for (const char* name : {"message.max.bytes", "batch.size"}) {
    if (BytesProperty(kafka, name).value_or(1000) < 1000) {
      api::AddError(diagnostics, path + ".properties." + name, "must be a number of at least 1000");
    }
  }
}

std::vector<std::string> KafkaSinkUses(const api::KafkaSink& kafka, const Schema& schema) {
  const KafkaExpressions expressions = ExpressionReader(schema, nullptr, "").Read(kafka);
  std::vector<std::string> names;
  const auto add = [&names](const ProgramRef& program) {
    if (program == nullptr) return;
    for (const FieldUse& use : program->uses()) {
      if (!use.path.empty()) names.push_back(use.path.front());
    }
  };
  for (const ProgramRef& program : {expressions.topic, expressions.key, expressions.timestamp,
                                    expressions.partition, expressions.delete_when}) {
    add(program);
  }
  for (const auto& [name, program] : expressions.headers) add(program);
  return names;
}

Result<std::unique_ptr<Sink>> MakeKafkaSink(const api::KafkaSink& kafka, const api::Sink& spec,
                                            const SinkOptions& options) {
  if (!spec.format) return InvalidError("sink " + spec.name + " needs a format");
  const Projection projection(*options.schema, spec.fields);
  ASSIGN_OR_RETURN(std::unique_ptr<Encoder> encoder,
                   MakeEncoder(*spec.format, projection.schema()));
  KafkaSinkOptions sink = OptionsOf(kafka, spec, options);
  Clock* clock = options.clock;
  KafkaSinkPeers peers;
  peers.make_producer = [clock](const KafkaProducerOptions& producer) {
    return KafkaProducer::Create(producer, clock);
  };
  ASSIGN_OR_RETURN(peers.admin, KafkaAdmin::Create(sink.producer.client, clock));
  if (sink.exactly_once && options.durable) {
    ASSIGN_OR_RETURN(peers.cluster, KafkaCluster::Create(sink.producer.client, clock));
    peers.ledger = MakeKafkaLedger("millrace." + options.job_id + "." + spec.name + ".ledger",
                                   peers.cluster.get(), peers.admin.get(), clock);
  }
  KafkaRowBuilder builder(ExpressionReader(*options.schema, nullptr, "").Read(kafka), sink.topic,
                          projection, std::move(encoder));
  return std::unique_ptr<Sink>(
      std::make_unique<KafkaSink>(std::move(sink), std::move(builder), std::move(peers)));
}

}  // namespace millrace::worker
