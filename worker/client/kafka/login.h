#pragma once

#include <string>

#include "crds/base/status.h"
#include "worker/client/kafka/options.h"

namespace millrace::worker {

// Name and password or token of `options.sasl`, read from its Secret. Requires: options.sasl.
// Blocks on files. Errors as ReadSecret.
struct KafkaLogin {
  std::string username;
  std::string secret;
};
Result<KafkaLogin> ReadKafkaLogin(const KafkaClientOptions& options);

}  // namespace millrace::worker
