#include <filesystem>

#include "crds/api/yaml_reader.h"
#include "crds/base/file.h"
#include "crds/base/text.h"
#include "operator/kube/cluster_config.h"

namespace millrace::controller {
namespace {

using api::Node;

constexpr size_t kMaxFileBytes = 1 << 20;
constexpr const char* kRefusedCluster[] = {"tls-server-name", "proxy-url"};
constexpr const char* kRefusedUser[] = {"username", "password", "exec",      "auth-provider",
                                        "as",       "as-uid",   "as-groups", "as-user-extra"};

std::string TextOf(const Node& object, std::string_view name) {
  const Node* node = object.Find(name);
  return node != nullptr && node->kind == Node::Kind::kScalar ? node->text : "";
}

// The object `member` of the entry called `name` in the list `list`.
Result<const Node*> Named(const Node& root, const std::string& list, const std::string& member,
                          const std::string& name) {
  const Node* entries = root.Find(list);
  for (size_t i = 0; entries != nullptr && i < entries->items.size(); ++i) {
    const Node& entry = entries->items[i];
    const Node* found = entry.Find(member);
    if (TextOf(entry, "name") == name && found != nullptr) return found;
  }
  return InvalidError(list + ": there is no " + member + " \"" + Excerpt(name) + "\"");
}

template <size_t kCount>
Status Refuse(const Node& object, const std::string& path, const char* const (&names)[kCount]) {
  for (const char* name : names) {
    if (object.Find(name) != nullptr)
      return InvalidError(path + "." + name +
                          " is not supported; use a token or a client "
                          "certificate, and the address in the certificate");
  }
  return OkStatus();
}

// A value given inline in base64 as `<name>-data`, or as a file `<name>`.
class Values {
 public:
  Values(const Node& object, std::string path, const std::string& folder)
      : object_(object), path_(std::move(path)), folder_(folder) {}

  std::string File(const std::string& name) const {
    const std::string text = TextOf(object_, name);
    return text.empty() ? "" : (std::filesystem::path(folder_) / text).string();
  }
  Result<std::string> Data(const std::string& name) const {
    Result<std::string> data = Base64Decode(TextOf(object_, name + "-data"));
    if (!data.ok()) return InvalidError(path_ + "." + name + "-data: " + data.status().message());
    return data;
  }
  Result<std::string> DataOrFile(const std::string& name) const {
    ASSIGN_OR_RETURN(std::string data, Data(name));
    if (!data.empty() || File(name).empty()) return data;
    return ReadFile(File(name), kMaxFileBytes);
  }

 private:
  const Node& object_;
  const std::string path_;
  const std::string& folder_;
};

Status ReadCluster(const Node& cluster, const std::string& path, const std::string& folder,
                   Endpoint* endpoint) {
  RETURN_IF_ERROR(Refuse(cluster, path, kRefusedCluster));
  if (TextOf(cluster, "insecure-skip-tls-verify") == "true")
    return InvalidError(path +
                        ".insecure-skip-tls-verify is not supported; give "
                        "certificate-authority");
  const Values values(cluster, path, folder);
  endpoint->server = TextOf(cluster, "server");
  if (endpoint->server.empty()) return InvalidError(path + ".server is required");
  ASSIGN_OR_RETURN(endpoint->ca_pem, values.Data("certificate-authority"));
  if (endpoint->ca_pem.empty()) endpoint->ca_file = values.File("certificate-authority");
  return OkStatus();
}

Status ReadUser(const Node& user, const std::string& path, const std::string& folder,
                ClusterConfig* config) {
  RETURN_IF_ERROR(Refuse(user, path, kRefusedUser));
  const Values values(user, path, folder);
  config->token_file = values.File("tokenFile");
  config->token = TextOf(user, "token");
  Endpoint& endpoint = config->endpoint;
  ASSIGN_OR_RETURN(endpoint.certificate_pem, values.DataOrFile("client-certificate"));
  ASSIGN_OR_RETURN(endpoint.key_pem, values.DataOrFile("client-key"));
  if (endpoint.certificate_pem.empty() != endpoint.key_pem.empty())
    return InvalidError(path + ": client-certificate and client-key come together");
  return OkStatus();
}

}  // namespace

Result<ClusterConfig> ParseKubeconfig(const std::string& text, const std::string& folder,
                                      const std::string& context) {
  const api::YamlDocument document = api::ReadYaml(text);
  RETURN_IF_ERROR(document.status);
  const Node& root = document.root;
  const std::string name = context.empty() ? TextOf(root, "current-context") : context;
  if (name.empty()) return InvalidError("current-context is not set");
  ASSIGN_OR_RETURN(const Node* chosen, Named(root, "contexts", "context", name));
  const std::string cluster_name = TextOf(*chosen, "cluster");
  const std::string user_name = TextOf(*chosen, "user");
  ASSIGN_OR_RETURN(const Node* cluster, Named(root, "clusters", "cluster", cluster_name));
  ASSIGN_OR_RETURN(const Node* user, Named(root, "users", "user", user_name));
  ClusterConfig config;
  config.ns = TextOf(*chosen, "namespace");
  RETURN_IF_ERROR(
      ReadCluster(*cluster, "clusters[" + cluster_name + "].cluster", folder, &config.endpoint));
  RETURN_IF_ERROR(ReadUser(*user, "users[" + user_name + "].user", folder, &config));
  return config;
}

Result<ClusterConfig> KubeconfigFile(const std::string& path, const std::string& context) {
  ASSIGN_OR_RETURN(const std::string text, ReadFile(path, kMaxFileBytes));
  const std::string folder = std::filesystem::absolute(path).parent_path().string();
  Result<ClusterConfig> config = ParseKubeconfig(text, folder, context);
  if (!config.ok()) return config.status().WithContext(path);
  return config;
}

}  // namespace millrace::controller
