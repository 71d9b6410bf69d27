#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <filesystem>
#include <memory>
#include <thread>

#include "worker/client/http_client.h"

namespace millrace::worker {
namespace {

using ::testing::HasSubstr;

// A self-signed certificate for one DNS name, valid from `begin` to `end` seconds from now.
struct Certificate {
  Certificate(const std::string& name, long begin, long end)
      : key(EVP_EC_gen("P-256"), &EVP_PKEY_free), x509(X509_new(), &X509_free) {
    X509_set_version(x509.get(), 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509.get()), begin);
    X509_gmtime_adj(X509_getm_notAfter(x509.get()), end);
    X509_set_pubkey(x509.get(), key.get());
    X509_NAME* subject = X509_get_subject_name(x509.get());
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
    X509_set_issuer_name(x509.get(), subject);
    X509_EXTENSION* san =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, ("DNS:" + name).c_str());
    X509_add_ext(x509.get(), san, -1);
    X509_EXTENSION_free(san);
    X509_sign(x509.get(), key.get(), EVP_sha256());
  }
  void WriteTo(const std::string& path) const {
    FILE* file = std::fopen(path.c_str(), "w");
    PEM_write_X509(file, x509.get());
    std::fclose(file);
  }
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key;
  std::unique_ptr<X509, decltype(&X509_free)> x509;
};

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
  EXPECT_THAT(Get(Certificate("a.example", -60, 3600), "a.example", false).status().message(),
              HasSubstr("self"));
  EXPECT_THAT(Get(Certificate("a.example", -60, 3600), "b.example", true).status().message(),
              HasSubstr("another host"));
  EXPECT_THAT(Get(Certificate("a.example", -3600, -60), "a.example", true).status().message(),
              HasSubstr("expired"));
}

TEST_F(HttpClientTlsTest, ChecksFilesBeforeItConnects) {
  const std::string garbage = directory_ + "/garbage";
  FILE* file = std::fopen(garbage.c_str(), "w");
  std::fputs("no PEM\n", file);
  std::fclose(file);
  HttpClientOptions options;
  options.tls.ca_file = directory_ + "/missing";
  EXPECT_THAT(HttpClient::Create("https://host/", options).status().message(),
              HasSubstr("missing"));
  options.tls.ca_file = garbage;
  EXPECT_THAT(HttpClient::Create("https://host/", options).status().message(),
              HasSubstr("no PEM certificate"));
  options.tls.ca_file.clear();
  options.tls.certificate_file = options.tls.key_file = garbage;
  EXPECT_THAT(HttpClient::Create("https://host/", options).status().message(),
              HasSubstr("cannot be loaded"));
}

}  // namespace
}  // namespace millrace::worker
