#pragma once

#include <cstdint>
#include <string>

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/client/kafka/options.h"

namespace millrace::worker {

// What the read side takes from a source's `properties`; the other allowed ones concern producing.
// A value.
struct KafkaSettings {
  std::string client_id;                   // client.id
  std::string rack;                        // client.rack
  int fetch_max_bytes = 8 << 20;           // fetch.max.bytes
  int partition_max_bytes = 4 << 20;       // max.partition.fetch.bytes, fetch.message.max.bytes
  int fetch_min_bytes = 1;                 // fetch.min.bytes
  int64_t max_response_bytes = 512 << 20;  // receive.message.max.bytes
  Duration fetch_wait = std::chrono::milliseconds(500);  // fetch.wait.max.ms
  bool check_crcs = true;                                // check.crcs
  Duration request_timeout = std::chrono::seconds(30);   // socket.timeout.ms
  Duration connect_timeout = std::chrono::seconds(10);   // socket.connection.setup.timeout.ms
  Duration max_idle = std::chrono::minutes(5);           // connections.max.idle.ms
  Duration metadata_max_age = std::chrono::minutes(5);   // metadata.max.age.ms
  Duration backoff = std::chrono::milliseconds(50);      // retry.backoff.ms, fetch.error.backoff.ms
  Duration max_backoff = std::chrono::seconds(1);        // retry.backoff.max.ms
  bool keep_alive = false;                               // socket.keepalive.enable
  bool no_delay = true;                                  // socket.nagle.disable
  int receive_buffer_bytes = 0;  // socket.receive.buffer.bytes; 0: the system's
  int send_buffer_bytes = 0;     // socket.send.buffer.bytes
};

// kInvalid, naming the property, for a value that is no number or outside its range.
Result<KafkaSettings> ReadKafkaSettings(const KafkaClientOptions& options);

}  // namespace millrace::worker
