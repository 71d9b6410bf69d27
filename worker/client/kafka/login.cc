#include "worker/client/kafka/login.h"

#include "worker/client/secret.h"

namespace millrace::worker {
namespace {

// Brokers take the principal from the token; the library wants one all the same.
constexpr std::string_view kTokenPrincipal = "millrace";

}  // namespace

Result<KafkaLogin> ReadKafkaLogin(const KafkaClientOptions& options) {
  const api::Sasl& sasl = *options.sasl;
  KafkaLogin login;
  if (sasl.mechanism == api::SaslMechanism::kOAuthBearer) {
    login.username = sasl.username.value_or(std::string(kTokenPrincipal));
    ASSIGN_OR_RETURN(login.secret,
                     ReadSecret(options.secrets_directory, sasl.secret_name, "token"));
    return login;
  }
  if (sasl.username) {
    login.username = *sasl.username;
  } else {
    ASSIGN_OR_RETURN(login.username,
                     ReadSecret(options.secrets_directory, sasl.secret_name, "username"));
  }
  ASSIGN_OR_RETURN(login.secret,
                   ReadSecret(options.secrets_directory, sasl.secret_name, "password"));
  return login;
}

}  // namespace millrace::worker
