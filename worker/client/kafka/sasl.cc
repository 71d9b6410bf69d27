#include "worker/client/kafka/sasl.h"

#include <string>
#include <utility>

#include "crds/base/text.h"
#include "worker/client/kafka/connection.h"
#include "worker/client/kafka/error_code.h"
#include "worker/client/kafka/login.h"
#include "worker/client/kafka/scram.h"

namespace millrace::worker {
namespace {

constexpr size_t kNonceBytes = 18;
constexpr size_t kMessageExcerpt = 200;

std::string_view Name(api::SaslMechanism mechanism) {
  switch (mechanism) {
    case api::SaslMechanism::kPlain:
      return "PLAIN";
    case api::SaslMechanism::kScramSha256:
      return "SCRAM-SHA-256";
    case api::SaslMechanism::kScramSha512:
      return "SCRAM-SHA-512";
    case api::SaslMechanism::kOAuthBearer:
      return "OAUTHBEARER";
  }
  return "";
}

// One sign-in. Thread-compatible.
class Exchange {
 public:
  Exchange(api::SaslMechanism mechanism, KafkaConnection* connection, const CallLimit& limit)
      : mechanism_(mechanism), connection_(connection), limit_(limit) {}

  Status Handshake() {
    const std::string name(Name(mechanism_));
    ASSIGN_OR_RETURN(const KafkaBody body,
                     connection_->Call(kApiSaslHandshake, EncodeSaslHandshake(name), limit_));
    ASSIGN_OR_RETURN(const SaslHandshakeResponse answer, DecodeSaslHandshake(body.body));
    if (answer.error == kErrorUnsupportedSaslMechanism) {
      return InvalidError("the broker does not offer " + name +
                          "; it has: " + Join(answer.mechanisms, ", "));
    }
    if (answer.error == kErrorIllegalSaslState) {
      return InvalidError("the port does not take SASL; remove sasl or use the broker's SASL port");
    }
    return KafkaErrorStatus(answer.error, name);
  }

  // One message to the server and its answer.
  Result<std::string> Step(std::string_view message) {
    ASSIGN_OR_RETURN(
        const KafkaBody body,
        connection_->Call(kApiSaslAuthenticate, EncodeSaslAuthenticate(message), limit_));
    ASSIGN_OR_RETURN(SaslAuthenticateResponse answer, DecodeSaslAuthenticate(body.body));
    if (answer.error != kErrorNone) {
      const std::string said =
          answer.message.empty() ? "" : " (" + Excerpt(answer.message, kMessageExcerpt) + ")";
      return KafkaErrorStatus(answer.error, std::string(Name(mechanism_)) + said);
    }
    lifetime_ = std::chrono::milliseconds(answer.session_lifetime_ms);
    return std::move(answer.bytes);
  }

  Status Plain(const KafkaLogin& login) {
    const std::string zero(1, '\0');
    return Step(zero + login.username + zero + login.secret).status();
  }

  Status Scram(ScramHash hash, const KafkaLogin& login) {
    ScramClient client(hash, login.username, login.secret, RandomHex(kNonceBytes));
    ASSIGN_OR_RETURN(const std::string challenge, Step(client.First()));
    ASSIGN_OR_RETURN(const std::string proof, client.Final(challenge));
    ASSIGN_OR_RETURN(const std::string last, Step(proof));
    return client.Verify(last);
  }

  Status Token(const KafkaLogin& login) {
    ASSIGN_OR_RETURN(const std::string problem, Step("n,,\x01"
                                                     "auth=Bearer " +
                                                     login.secret + "\x01\x01"));
    if (problem.empty()) return OkStatus();
    // RFC 7628, 3.2.3: the client acknowledges, then the server fails.
    RETURN_IF_ERROR(Step("\x01").status());
    return InvalidError("OAUTHBEARER: the broker refuses the token: " +
                        Excerpt(problem, kMessageExcerpt));
  }

  Duration lifetime() const { return lifetime_; }

 private:
  api::SaslMechanism mechanism_;
  KafkaConnection* connection_;
  const CallLimit& limit_;
  Duration lifetime_{0};
};

Status Run(api::SaslMechanism mechanism, const KafkaLogin& login, Exchange* exchange) {
  switch (mechanism) {
    case api::SaslMechanism::kPlain:
      return exchange->Plain(login);
    case api::SaslMechanism::kScramSha256:
      return exchange->Scram(ScramHash::kSha256, login);
    case api::SaslMechanism::kScramSha512:
      return exchange->Scram(ScramHash::kSha512, login);
    case api::SaslMechanism::kOAuthBearer:
      return exchange->Token(login);
  }
  return OkStatus();
}

}  // namespace

Result<Duration> Authenticate(const KafkaClientOptions& options, KafkaConnection* connection,
                              const CallLimit& limit) {
  ASSIGN_OR_RETURN(const KafkaLogin login, ReadKafkaLogin(options));
  const api::SaslMechanism mechanism = options.sasl->mechanism;
  Exchange exchange(mechanism, connection, limit);
  RETURN_IF_ERROR(exchange.Handshake());
  RETURN_IF_ERROR(Run(mechanism, login, &exchange));
  return exchange.lifetime();
}

}  // namespace millrace::worker
