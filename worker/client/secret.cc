#include "worker/client/secret.h"

#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "crds/base/file.h"
#include "crds/base/log.h"
#include "crds/base/text.h"
#include "worker/client/tls_files.h"

namespace millrace::worker {
namespace {

constexpr size_t kMaxSecretBytes = 1 << 20;

bool IsSafeName(const std::string& name) {
  return !name.empty() && name.find('/') == std::string::npos && name != "." && name != "..";
}

Result<std::string> SecretPath(const std::string& directory, const std::string& secret,
                               const std::string& key) {
  if (directory.empty()) {
    return InvalidError("secret \"" + secret +
                        "\" is needed but no secrets folder is set; pass --secrets DIR");
  }
  if (!IsSafeName(secret) || !IsSafeName(key)) {
    return InvalidError("\"" + Excerpt(secret) + "\" is not the name of a Secret");
  }
  return directory + "/" + secret + "/" + key;
}

void WarnWhenReadableByOthers(const std::string& path) {
  struct stat info {};
  struct statfs fs {};
  if (stat(path.c_str(), &info) != 0 || (info.st_mode & S_IROTH) == 0) return;
  if (statfs(path.c_str(), &fs) == 0 && fs.f_type == TMPFS_MAGIC) return;
  Log(LogLevel::kWarn, "secret file can be read by other users; chmod 600 it", {{"path", path}});
}

bool Exists(const std::string& path) { return access(path.c_str(), F_OK) == 0; }

}  // namespace

Result<std::string> ReadSecret(const std::string& directory, const std::string& secret,
                               const std::string& key) {
  ASSIGN_OR_RETURN(const std::string path, SecretPath(directory, secret, key));
  ASSIGN_OR_RETURN(std::string value, ReadFile(path, kMaxSecretBytes));
  WarnWhenReadableByOthers(path);
  if (value.ends_with('\n')) value.pop_back();
  if (value.ends_with('\r')) value.pop_back();
  if (value.empty()) return InvalidError("secret file " + path + " is empty");
  if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos) {
    return InvalidError("secret file " + path + " has a line break or NUL inside its value");
  }
  return value;
}

Result<std::string> AuthorizationFromSecret(const std::string& directory, const std::string& secret,
                                            const std::optional<std::string>& username) {
  Result<std::string> token = ReadSecret(directory, secret, "token");
  if (token.ok()) return "Bearer " + *token;
  if (token.status().code() != StatusCode::kNotFound) return token.status();
  Result<std::string> password = ReadSecret(directory, secret, "password");
  if (password.status().code() == StatusCode::kNotFound) {
    return NotFoundError("secret folder " + directory + "/" + secret +
                         " has neither \"token\" nor \"password\"");
  }
  if (!password.ok()) return password.status();
  std::string user = username.value_or("");
  if (user.empty()) {
    ASSIGN_OR_RETURN(user, ReadSecret(directory, secret, "username"));
  }
  if (user.find(':') != std::string::npos) {
    return InvalidError("the user name of secret \"" + secret +
                        "\" has a \":\", which Basic cannot carry");
  }
  return "Basic " + Base64Encode(user + ":" + *password);
}

Result<TlsFiles> TlsFromSecret(const std::string& directory,
                               const std::optional<std::string>& secret,
                               const std::optional<std::string>& server_name) {
  TlsFiles files;
  files.server_name = server_name.value_or("");
  if (!secret) return files;
  ASSIGN_OR_RETURN(const std::string ca, SecretPath(directory, *secret, "ca.crt"));
  ASSIGN_OR_RETURN(const std::string certificate, SecretPath(directory, *secret, "tls.crt"));
  ASSIGN_OR_RETURN(const std::string key, SecretPath(directory, *secret, "tls.key"));
  if (Exists(ca)) files.ca_file = ca;
  if (Exists(certificate)) files.certificate_file = certificate;
  if (Exists(key)) files.key_file = key;
  if (files.certificate_file.empty() != files.key_file.empty()) {
    return InvalidError("secret folder " + directory + "/" + *secret +
                        " has only one of \"tls.crt\" and \"tls.key\"");
  }
  if (files.ca_file.empty() && files.certificate_file.empty()) {
    return NotFoundError("secret folder " + directory + "/" + *secret +
                         " has none of \"ca.crt\", \"tls.crt\", \"tls.key\"");
  }
  RETURN_IF_ERROR(CheckTlsFiles(files));
  return files;
}

}  // namespace millrace::worker
