#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "crds/base/status.h"
#include "worker/client/kafka/buffer_pool.h"
#include "worker/client/kafka/messages.h"
#include "worker/client/kafka/options.h"
#include "worker/client/kafka/settings.h"
#include "worker/client/kafka/transport.h"

namespace millrace::worker {

// What every connection of a cluster is made with. All must outlive the connections.
struct ConnectionOptions {
  const KafkaClientOptions& client;
  const KafkaSettings& settings;
  Clock* clock;
  std::shared_ptr<BufferPool> buffers;
};

// A response without its headers, and the memory that holds it.
struct KafkaBody {
  KafkaBuffer buffer;
  std::string_view body;
};

// One broker, ready for requests: connected, encrypted and signed in as the options say, and known
// to be new enough. Requests may be sent ahead; answers come in order. Thread-compatible. After an
// error the connection is of no use and says so by usable(). Errors name the broker and the
// request; kInvalid for what stays wrong.
class KafkaConnection {
 public:
  // Blocks; reads secrets from their files.
  static Result<std::unique_ptr<KafkaConnection>> Open(const BrokerAddress& address,
                                                       const ConnectionOptions& options,
                                                       const CallLimit& limit);

  Status Send(const KafkaApi& api, std::string_view body, const CallLimit& limit);
  // The answer to the oldest request that was sent and not answered. Requires: there is one, for
  // `api`.
  Result<KafkaBody> Receive(const KafkaApi& api, const CallLimit& limit);
  Result<KafkaBody> Call(const KafkaApi& api, std::string_view body, const CallLimit& limit);

  // False with answers outstanding, after an error, when the broker closed, and near the end of a
  // session's lifetime.
  bool usable() const;
  const BrokerAddress& address() const { return transport_->address(); }

 private:
  KafkaConnection(std::unique_ptr<Transport> transport, const ConnectionOptions& options)
      : options_(options), transport_(std::move(transport)), expires_(MonotonicTime::max()) {}
  Status CheckVersions(const CallLimit& limit);
  Status SignIn(const CallLimit& limit);
  Status CheckSize(int64_t size, const char* first) const;
  std::string HintAtClose() const;
  Result<KafkaBody> ReceiveBody(const KafkaApi& api, const CallLimit& limit);

  ConnectionOptions options_;
  std::unique_ptr<Transport> transport_;
  MonotonicTime expires_;
  int32_t sent_ = 0;  // also the last correlation id
  int32_t answered_ = 0;
  bool broken_ = false;
};

}  // namespace millrace::worker
