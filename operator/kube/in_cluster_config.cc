#include <cstdlib>

#include "crds/base/file.h"
#include "crds/base/text.h"
#include "operator/kube/cluster_config.h"

namespace millrace::controller {
namespace {

constexpr size_t kMaxFileBytes = 1 << 20;

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

}  // namespace

Result<ClusterConfig> InClusterConfig(const std::string& folder) {
  std::string host = Variable("KUBERNETES_SERVICE_HOST");
  const std::string port = Variable("KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty())
    return NotFoundError(
        "not in a pod: KUBERNETES_SERVICE_HOST and _PORT are not set; give "
        "--kubeconfig");
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  ClusterConfig config;
  config.endpoint.server = "https://" + host + ":" + port;
  config.endpoint.ca_file = folder + "/ca.crt";
  config.token_file = folder + "/token";
  ASSIGN_OR_RETURN(const std::string ns, ReadFile(folder + "/namespace", kMaxFileBytes));
  config.ns = std::string(Trim(ns));
  return config;
}

}  // namespace millrace::controller
