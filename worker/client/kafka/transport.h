#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <stop_token>
#include <string>
#include <string_view>

#include "crds/base/clock.h"
#include "crds/base/file.h"
#include "crds/base/status.h"
#include "worker/client/kafka/settings.h"
#include "worker/client/secret.h"

namespace millrace::worker {

// Where a broker listens.
struct BrokerAddress {
  std::string host;
  int port = 0;
  std::string text() const { return host + ":" + std::to_string(port); }
  auto operator<=>(const BrokerAddress&) const = default;
};
// "host:port" or "[v6]:port"; kInvalid for anything else.
Result<BrokerAddress> ParseBrokerAddress(std::string_view text);

// When a call gives up: at `end`, or as soon as `stop` is requested (kAborted).
struct CallLimit {
  MonotonicTime end;
  std::stop_token stop;
};

// Bytes to and from one broker over TCP, or TLS that always verifies the certificate and the host's
// name. Thread-compatible. Every wait hears its CallLimit. Errors name the broker: kUnavailable
// when it is not there, says nothing in time or closes; kInvalid where TLS cannot work
// (certificates, a port that does not speak it).
class Transport {
 public:
  // `tls` null: plain. The socket gets the options of `settings`.
  static Result<std::unique_ptr<Transport>> Connect(const BrokerAddress& address,
                                                    const TlsFiles* tls,
                                                    const KafkaSettings& settings, Clock* clock,
                                                    const CallLimit& limit);

  Status Write(std::string_view bytes, const CallLimit& limit);
  // Fills all of `size` bytes. `closed` (may be null) tells an end of the connection from other
  // errors.
  Status Read(char* to, size_t size, const CallLimit& limit, bool* closed = nullptr);
  // Waits for bytes and takes what is there, 1 to `size` of them.
  Result<size_t> ReadUpTo(char* to, size_t size, const CallLimit& limit, bool* closed = nullptr);
  // True when the broker has closed, or sent what nobody asked for: of no further use.
  bool stale() const;
  const BrokerAddress& address() const { return address_; }

 private:
  struct FreeSsl {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
  };

  Transport(BrokerAddress address, UniqueFd fd, Clock* clock)
      : address_(std::move(address)), fd_(std::move(fd)), clock_(clock) {}
  Status StartTls(const TlsFiles& files, const CallLimit& limit);
  Status TlsFailure(int result);
  Status Wait(bool for_write, const CallLimit& limit);
  // Bytes moved; 0 when the caller must call again.
  Result<size_t> ReadSome(char* to, size_t size, const CallLimit& limit, bool* closed);
  Result<size_t> WriteSome(std::string_view bytes, const CallLimit& limit);

  BrokerAddress address_;
  UniqueFd fd_;
  Clock* clock_;
  std::unique_ptr<SSL, FreeSsl> ssl_;  // null: plain
};

}  // namespace millrace::worker
