#include <algorithm>
#include <array>

#include "crds/api/text_rule.h"
#include "crds/base/text.h"

namespace millrace::api {
namespace {

// Tuning only. A property that loads code, runs a command, reads a file or weakens TLS is not here
// and never will be.
constexpr std::array<std::string_view, 42> kAllowed{"batch.num.messages",
                                                    "batch.size",
                                                    "broker.address.family",
                                                    "broker.address.ttl",
                                                    "check.crcs",
                                                    "client.id",
                                                    "client.rack",
                                                    "compression.level",
                                                    "connections.max.idle.ms",
                                                    "delivery.timeout.ms",
                                                    "fetch.error.backoff.ms",
                                                    "fetch.max.bytes",
                                                    "fetch.message.max.bytes",
                                                    "fetch.min.bytes",
                                                    "fetch.queue.backoff.ms",
                                                    "fetch.wait.max.ms",
                                                    "heartbeat.interval.ms",
                                                    "linger.ms",
                                                    "max.in.flight.requests.per.connection",
                                                    "max.partition.fetch.bytes",
                                                    "message.max.bytes",
                                                    "message.timeout.ms",
                                                    "metadata.max.age.ms",
                                                    "queue.buffering.max.kbytes",
                                                    "queue.buffering.max.messages",
                                                    "queue.buffering.max.ms",
                                                    "queued.max.messages.kbytes",
                                                    "queued.min.messages",
                                                    "receive.message.max.bytes",
                                                    "reconnect.backoff.max.ms",
                                                    "reconnect.backoff.ms",
                                                    "request.timeout.ms",
                                                    "retries",
                                                    "retry.backoff.max.ms",
                                                    "retry.backoff.ms",
                                                    "session.timeout.ms",
                                                    "socket.connection.setup.timeout.ms",
                                                    "socket.keepalive.enable",
                                                    "socket.nagle.disable",
                                                    "socket.receive.buffer.bytes",
                                                    "socket.send.buffer.bytes",
                                                    "socket.timeout.ms"};

struct Managed {
  std::string_view prefix;
  std::string_view instead;
};
constexpr std::array kManaged{
    Managed{"acks", "the sink's delivery decides it"},
    Managed{"request.required.acks", "the sink's delivery decides it"},
    Managed{"enable.idempotence", "the sink's delivery decides it"},
    Managed{"transactional.id", "the engine owns it"},
    Managed{"transaction.timeout.ms", "use transactionTimeout"},
    Managed{"bootstrap.servers", "use brokers"},
    Managed{"metadata.broker.list", "use brokers"},
    Managed{"group.id", "use groupId"},
    Managed{"enable.auto.commit", "offsets are kept with the job's state"},
    Managed{"auto.offset.reset", "use startFrom and onMissingOffsets"},
    Managed{"isolation.level", "use isolation"},
    Managed{"compression.codec", "use compression"},
    Managed{"compression.type", "use compression"},
    Managed{"security.protocol", "use tls and sasl"},
    Managed{"sasl.mechanism", "use sasl"},
    Managed{"sasl.username", "use sasl"},
    Managed{"sasl.password", "use sasl: {secretName: ...}"},
};

}  // namespace

Status CheckKafkaProperty(std::string_view text) {
  if (std::find(kAllowed.begin(), kAllowed.end(), text) != kAllowed.end()) return OkStatus();
  const std::string name = "the Kafka property \"" + Excerpt(text) + "\"";
  for (const Managed& managed : kManaged) {
    if (text.starts_with(managed.prefix)) {
      return InvalidError(name + " cannot be set here: " + std::string(managed.instead));
    }
  }
  const std::vector<std::string> names(kAllowed.begin(), kAllowed.end());
  const auto near = ClosestName(text, names);
  return InvalidError(
      name + " is not allowed" +
      (near ? "; did you mean \"" + *near + "\"?"
            : std::string(": only tuning properties are, such as fetch.min.bytes or linger.ms")));
}

}  // namespace millrace::api
