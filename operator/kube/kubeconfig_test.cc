#include <gmock/gmock.h>

#include "crds/base/text.h"
#include "operator/kube/cluster_config.h"

namespace millrace::controller {
namespace {

using ::testing::HasSubstr;

std::string Config(const std::string& cluster, const std::string& user) {
  return "current-context: c\n"
         "contexts: [{name: c, context: {cluster: k, user: u, namespace: team}}]\n"
         "clusters: [{name: k, cluster: {" +
         cluster +
         "}}]\n"
         "users: [{name: u, user: {" +
         user + "}}]\n";
}

TEST(KubeconfigTest, ReadsServerCertificatesTokenAndNamespace) {
  const std::string pem = Base64Encode("PEM");
  const auto config = ParseKubeconfig(
      Config("server: 'https://h:6443', certificate-authority-data: " + pem, "token: t"), "/home");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->endpoint.server, "https://h:6443");
  EXPECT_EQ(config->endpoint.ca_pem, "PEM");
  EXPECT_EQ(config->token, "t");
  EXPECT_EQ(config->ns, "team");
}

TEST(KubeconfigTest, FindsFilesBesideTheKubeconfig) {
  const auto config = ParseKubeconfig(
      Config("server: 'https://h', certificate-authority: ca.crt", "tokenFile: /abs/token"), "/f");
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->endpoint.ca_file, "/f/ca.crt");
  EXPECT_EQ(config->token_file, "/abs/token");
}

TEST(KubeconfigTest, RefusesByNameWhatItCannotDoSafely) {
  const std::string server = "server: 'https://h'";
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {server + ", insecure-skip-tls-verify: true", "",
       "clusters[k].cluster.insecure-skip-tls-verify"},
      {server + ", tls-server-name: x", "", "clusters[k].cluster.tls-server-name"},
      {server + ", proxy-url: x", "", "clusters[k].cluster.proxy-url"},
      {server, "exec: {command: aws}", "users[u].user.exec"},
      {server, "auth-provider: {name: gcp}", "users[u].user.auth-provider"},
      {server, "username: a, password: b", "users[u].user.username"},
      {server, "as: root", "users[u].user.as"},
      {server, "client-certificate-data: QQ==", "come together"},
      {server + ", certificate-authority-data: '*'", "", "certificate-authority-data"},
      {"", "", "clusters[k].cluster.server is required"}};
  for (const auto& [cluster, user, want] : cases) {
    const auto config = ParseKubeconfig(Config(cluster, user), "/");
    ASSERT_FALSE(config.ok()) << want;
    EXPECT_THAT(config.status().message(), HasSubstr(want));
  }
}

TEST(KubeconfigTest, NamesTheContextThatIsMissing) {
  const auto config = ParseKubeconfig(Config("server: 'https://h'", ""), "/", "other");
  EXPECT_THAT(config.status().message(), HasSubstr("contexts: there is no context \"other\""));
}

TEST(TransportTest, TakesNoAddressWithoutTlsButLoopback) {
  EXPECT_TRUE(MakeTransport({.server = "http://127.0.0.1:1"}).ok());
  EXPECT_FALSE(MakeTransport({.server = "http://10.0.0.1:1"}).ok());
  EXPECT_FALSE(MakeTransport({.server = "ftp://127.0.0.1"}).ok());
}

TEST(TransportTest, RefusesAuthoritiesAndCertificatesThatAreNone) {
  EXPECT_EQ(MakeTransport({.server = "https://h", .ca_pem = "x"}).status().code(),
            StatusCode::kInvalid);
  EXPECT_EQ(MakeTransport({.server = "https://h", .ca_file = "/nowhere/ca"}).status().code(),
            StatusCode::kNotFound);
  EXPECT_EQ(MakeTransport({.server = "https://h", .certificate_pem = "x", .key_pem = "y"})
                .status()
                .code(),
            StatusCode::kInvalid);
}

}  // namespace
}  // namespace millrace::controller
