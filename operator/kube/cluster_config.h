#pragma once

#include <string>

#include "operator/kube/transport.h"

namespace millrace::controller {

// How to reach and enter one cluster.
struct ClusterConfig {
  Endpoint endpoint;
  std::string token_file;  // read again about every minute; or
  std::string token;       // else a fixed one; or none: the client certificate
  std::string ns;          // of this pod or of the context; may be empty
};

inline constexpr const char* kServiceAccountFolder =
    "/var/run/secrets/kubernetes.io/serviceaccount";

// What a pod is given: the address in KUBERNETES_SERVICE_HOST and _PORT, token, CA and namespace
// in `folder`. kNotFound outside a pod, kInvalid for what cannot be used.
Result<ClusterConfig> InClusterConfig(const std::string& folder = kServiceAccountFolder);

// The context of a kubeconfig file, the current one if `context` is empty. Files it names are
// relative to its own folder. kInvalid, with the path of the field, for what this build refuses:
// insecure-skip-tls-verify, tls-server-name, proxy-url, username and password, exec and
// auth-provider plug-ins, impersonation.
Result<ClusterConfig> KubeconfigFile(const std::string& path, const std::string& context = "");
// As KubeconfigFile, of its text; `folder` is where relative files lie.
Result<ClusterConfig> ParseKubeconfig(const std::string& text, const std::string& folder,
                                      const std::string& context = "");

}  // namespace millrace::controller
