#pragma once

#include <string>
#include <string_view>

#include "crds/base/status.h"

namespace millrace::worker {

enum class ScramHash { kSha256, kSha512 };

// The client's side of SCRAM without channel binding (RFC 5802, RFC 7677): the password never
// leaves this machine, and a server that does not know it is found out. Used once: First, Final,
// Verify. Thread-compatible. Errors are kInvalid and never hold a secret.
class ScramClient {
 public:
  // `nonce` is printable, without commas, and different every time.
  ScramClient(ScramHash hash, std::string_view username, std::string password, std::string nonce);

  std::string First() const;
  // The proof for the server's first message. Iterations above kMaxIterations are refused: they
  // would only burn time.
  Result<std::string> Final(std::string_view server_first);
  // ok when the server's last message shows that it knows the password's keys.
  Status Verify(std::string_view server_final) const;

  static constexpr int kMinIterations = 4096;
  static constexpr int kMaxIterations = 1'000'000;

 private:
  ScramHash hash_;
  std::string bare_;  // client-first-message-bare
  std::string password_;
  std::string nonce_;
  std::string expected_signature_;
};

}  // namespace millrace::worker
