#pragma once

#include <optional>
#include <string>

#include "crds/base/status.h"

namespace millrace::worker {

// Reads <directory>/<secret>/<key>, one value of a mounted Secret, without its trailing line break
// (LF or CRLF). kNotFound where the file is missing; kInvalid for an empty value, one over 1 MiB,
// or a line break or NUL inside. A file that other users can read is used with a warning, except on
// tmpfs, where Kubernetes mounts them so. Messages name the path, never the content. Blocks on the
// file system.
Result<std::string> ReadSecret(const std::string& directory, const std::string& secret,
                               const std::string& key);

// The value of an Authorization header: "Bearer <token>" where the Secret has the key `token`, else
// "Basic ..." from `username` (the argument first, then the key) and `password`. Errors as
// ReadSecret.
Result<std::string> AuthorizationFromSecret(const std::string& directory, const std::string& secret,
                                            const std::optional<std::string>& username);

// Files for TLS; empty paths are left to defaults (system roots, no client certificate). A value.
struct TlsFiles {
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
  std::string
      server_name;  // expected in the certificate instead of the URL's host, and sent as SNI
};

// Paths of the keys ca.crt, tls.crt, tls.key that the Secret has, after CheckTlsFiles. kInvalid for
// a certificate without key or the reverse, kNotFound for a Secret with none of them.
Result<TlsFiles> TlsFromSecret(const std::string& directory,
                               const std::optional<std::string>& secret,
                               const std::optional<std::string>& server_name);

}  // namespace millrace::worker
