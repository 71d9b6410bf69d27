#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>

#include <filesystem>
#include <memory>
#include <thread>

#include "worker/client/http_client.h"
#include "worker/client/tls_testing.h"

namespace millrace::worker {
namespace {

using testing::Certificate;
using ::testing::EndsWith;
using ::testing::StartsWith;

class TlsServer {
 public:
  explicit TlsServer(const Certificate& certificate)
      : server_(certificate.x509.get(), certificate.key.get()) {
    server_.Get("/", [](const httplib::Request&, httplib::Response& response) {
      response.set_content("safe", "text/plain");
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    thread_ = std::jthread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  ~TlsServer() { server_.stop(); }
  std::string Url() const { return "https://127.0.0.1:" + std::to_string(port_) + "/"; }

 private:
  httplib::SSLServer server_;
  int port_ = 0;
  std::jthread thread_;
};

class HttpClientTlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/tls-XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  Result<HttpResponse> Get(const Certificate& certificate, const std::string& server_name,
                           bool trusted) {
    TlsServer server(certificate);
    certificate.WriteTo(directory_ + "/ca.crt");
    HttpClientOptions options;
    options.tls.server_name = server_name;
    if (trusted) options.tls.ca_file = directory_ + "/ca.crt";
    ASSIGN_OR_RETURN(const std::unique_ptr<HttpClient> client,
                     HttpClient::Create(server.Url(), options));
    return client->Send({});
  }
  std::string directory_;
};

TEST_F(HttpClientTlsTest, TrustsItsCaAndServerName) {
  const Result<HttpResponse> response =
      Get(Certificate("search.example", -60, 3600), "search.example", true);
  ASSERT_TRUE(response.ok()) << response.status();
  EXPECT_EQ(response->body, "safe");
}

TEST_F(HttpClientTlsTest, NamesWhyACertificateIsRefused) {
  const struct {
    Certificate certificate;
    std::string server_name;
    bool trusted;
    std::string want;
  } cases[] = {
      {{"a.example", -60, 3600}, "a.example", false, "refused: self-signed certificate"},
      {{"a.example", -60, 3600},
       "b.example",
       true,
       "for another host than b.example; if it is the right one, set tls.serverName to a name in "
       "it"},
      {{"a.example", -3600, -60}, "a.example", true, "refused: certificate has expired"},
      {{"a.example", 60, 3600}, "a.example", true, "refused: certificate is not yet valid"},
  };
  for (const auto& [certificate, server_name, trusted, want] : cases) {
    const Status status = Get(certificate, server_name, trusted).status();
    EXPECT_THAT(status.message(), StartsWith("GET https://127.0.0.1:"));
    EXPECT_THAT(status.message(), EndsWith(": the server's certificate is " + want));
  }
}

TEST_F(HttpClientTlsTest, ChecksFilesBeforeItConnects) {
  HttpClientOptions options;
  options.tls.ca_file = directory_ + "/missing";
  EXPECT_EQ(HttpClient::Create("https://host/", options).status().message(),
            "open " + directory_ + "/missing: No such file or directory");
}

}  // namespace
}  // namespace millrace::worker
