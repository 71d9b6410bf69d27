#include "worker/client/kafka/tls_context.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace millrace::worker {
namespace {

std::string LastReason() {
  const unsigned long code = ERR_peek_last_error();
  const char* reason = ERR_reason_error_string(code);
  return reason == nullptr ? "unknown reason" : reason;
}

bool IsAddress(const std::string& host) {
  unsigned char bytes[sizeof(in6_addr)];
  return ::inet_pton(AF_INET, host.c_str(), bytes) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

bool MayComeLater() { return errno == EAGAIN || errno == EINTR; }

int SocketWrite(BIO* bio, const char* data, int size) {
  BIO_clear_retry_flags(bio);
  const auto sent = ::send(BIO_get_fd(bio, nullptr), data, static_cast<size_t>(size), MSG_NOSIGNAL);
  if (sent < 0 && MayComeLater()) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

struct FreeBioMethod {
  void operator()(BIO_METHOD* method) const { BIO_meth_free(method); }
};

// The library's own socket BIO with another write. OpenSSL 3.5 deprecates the getters and has
// nothing in their place.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
const BIO_METHOD* SocketMethod() {
  static const std::unique_ptr<BIO_METHOD, FreeBioMethod> method = [] {
    const BIO_METHOD* own = BIO_s_socket();
    std::unique_ptr<BIO_METHOD, FreeBioMethod> made(
        BIO_meth_new(BIO_TYPE_SOCKET, "socket without SIGPIPE"));
    BIO_meth_set_write(made.get(), &SocketWrite);
    BIO_meth_set_read(made.get(), BIO_meth_get_read(own));
    BIO_meth_set_ctrl(made.get(), BIO_meth_get_ctrl(own));
    BIO_meth_set_create(made.get(), BIO_meth_get_create(own));
    BIO_meth_set_destroy(made.get(), BIO_meth_get_destroy(own));
    return made;
  }();
  return method.get();
}
#pragma GCC diagnostic pop

Status CannotLoad(const std::string& path) {
  return InvalidError("cannot load " + path + ": " + LastReason());
}

}  // namespace

Result<SslContext> MakeSslContext(const TlsFiles& files) {
  ClearSslErrors();
  SslContext context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return InternalError("cannot set up TLS: " + LastReason());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_mode(context.get(),
                   SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (files.ca_file.empty()) {
    SSL_CTX_set_default_verify_paths(context.get());
  } else if (SSL_CTX_load_verify_locations(context.get(), files.ca_file.c_str(), nullptr) != 1) {
    return CannotLoad(files.ca_file);
  }
  if (!files.certificate_file.empty()) {
    if (SSL_CTX_use_certificate_chain_file(context.get(), files.certificate_file.c_str()) != 1) {
      return CannotLoad(files.certificate_file);
    }
    if (SSL_CTX_use_PrivateKey_file(context.get(), files.key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
      return CannotLoad(files.key_file);
    }
  }
  return context;
}

Result<SSL*> MakeSsl(const SslContext& context, const std::string& host) {
  SSL* ssl = SSL_new(context.get());
  if (ssl == nullptr) return InternalError("cannot set up TLS: " + LastReason());
  const bool set = IsAddress(host)
                       ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1
                       : SSL_set1_host(ssl, host.c_str()) == 1 &&
                             SSL_set_tlsext_host_name(ssl, const_cast<char*>(host.c_str())) == 1;
  if (set) return ssl;
  SSL_free(ssl);
  return InvalidError("\"" + host + "\" cannot be a server's name");
}

Status AttachSocket(SSL* ssl, int fd) {
  BIO* bio = BIO_new(SocketMethod());
  if (bio == nullptr) return InternalError("cannot set up TLS: " + LastReason());
  BIO_set_fd(bio, fd, BIO_NOCLOSE);
  SSL_set_bio(ssl, bio, bio);
  return OkStatus();
}

Status DescribeHandshakeFailure(SSL* ssl, int ssl_error) {
  const long verified = SSL_get_verify_result(ssl);
  if (verified != X509_V_OK) {
    return InvalidError(std::string("the broker's certificate is refused: ") +
                        X509_verify_cert_error_string(verified) + "; check ca.crt and serverName");
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_WRONG_VERSION_NUMBER) {
    return InvalidError("the port does not speak TLS; remove tls or use the broker's TLS port");
  }
  if (ssl_error == SSL_ERROR_SYSCALL || IsUnexpectedEnd(ssl_error)) {
    return UnavailableError(
        "the broker closed the connection during the handshake; does the port speak TLS?");
  }
  return DescribeSslFailure(ssl_error);
}

Status DescribeSslFailure(int ssl_error) {
  if (ssl_error == SSL_ERROR_SSL) return InvalidError("refused: " + LastReason());
  return UnavailableError(errno != 0 ? std::strerror(errno) : "connection lost");
}

bool IsUnexpectedEnd(int ssl_error) {
  if (ssl_error == SSL_ERROR_SYSCALL) return errno == 0 || errno == ECONNRESET || errno == EPIPE;
  return ssl_error == SSL_ERROR_SSL &&
         ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
}

void ClearSslErrors() {
  ERR_clear_error();
  errno = 0;
}

}  // namespace millrace::worker
