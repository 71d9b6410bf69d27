#pragma once

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/client/kafka/options.h"

namespace millrace::worker {

class KafkaConnection;
struct CallLimit;

// Signs in on a new connection with the mechanism and the Secret of `options.sasl` (PLAIN of RFC
// 4616, SCRAM of RFC 5802 and 7677, OAUTHBEARER of RFC 7628). Returns how long the session lasts;
// 0: for ever. kInvalid when the broker refuses, naming mechanism and remedy; errors of ReadSecret.
// Messages never hold a secret or the user's name.
Result<Duration> Authenticate(const KafkaClientOptions& options, KafkaConnection* connection,
                              const CallLimit& limit);

}  // namespace millrace::worker
