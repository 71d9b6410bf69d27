#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "crds/base/status.h"
#include "worker/client/secret.h"

namespace millrace::worker {

struct FreeSslContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
using SslContext = std::unique_ptr<SSL_CTX, FreeSslContext>;

// TLS 1.2 or newer that verifies the peer, with the roots of `files` or the system's. Blocks on
// files. kInvalid, naming the file, for what cannot be loaded.
Result<SslContext> MakeSslContext(const TlsFiles& files);

// A session that accepts only certificates for `host`, a name or an address. The caller owns it.
Result<SSL*> MakeSsl(const SslContext& context, const std::string& host);
// Joins a session and a connected socket, which stays the caller's. Unlike SSL_set_fd it never
// raises SIGPIPE.
Status AttachSocket(SSL* ssl, int fd);

// What OpenSSL says about a failed call, as a Status. Certificates and alerts are kInvalid, lost
// connections kUnavailable.
Status DescribeHandshakeFailure(SSL* ssl, int ssl_error);
Status DescribeSslFailure(int ssl_error);
// True when the peer closed without saying goodbye.
bool IsUnexpectedEnd(int ssl_error);
void ClearSslErrors();

}  // namespace millrace::worker
