#include "worker/client/secret.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "worker/client/tls_testing.h"

namespace millrace::worker {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class SecretTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/secret-XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }
  void Write(const std::string& name, const std::string& content) {
    const std::filesystem::path path = directory_ + "/" + name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    std::filesystem::permissions(
        path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
  }
  std::string directory_;
};

TEST_F(SecretTest, TrimsOneLineBreak) {
  for (const std::string end : {"", "\n", "\r\n"}) {
    Write("db/password", "p w" + end);
    EXPECT_EQ(*ReadSecret(directory_, "db", "password"), "p w");
  }
}

TEST_F(SecretTest, RefusesEmptyAndBrokenValues) {
  for (const std::string& content :
       {std::string(), std::string("\n"), std::string("a\nb\n"), std::string("a\0b", 3)}) {
    Write("db/password", content);
    const Result<std::string> value = ReadSecret(directory_, "db", "password");
    EXPECT_EQ(value.status().code(), StatusCode::kInvalid) << content;
    EXPECT_THAT(value.status().message(), HasSubstr("db/password"));
    EXPECT_THAT(value.status().message(), Not(HasSubstr("a\n")));
  }
}

TEST_F(SecretTest, RefusesNamesThatLeaveTheFolder) {
  for (const std::string name : {"", "..", "a/b", "../x"}) {
    EXPECT_EQ(ReadSecret(directory_, name, "token").status().code(), StatusCode::kInvalid) << name;
  }
  EXPECT_THAT(ReadSecret("", "db", "token").status().message(), HasSubstr("--secrets"));
}

TEST_F(SecretTest, BuildsAuthorization) {
  Write("bearer/token", "abc\n");
  Write("basic/username", "ann\n");
  Write("basic/password", "pw\r\n");
  EXPECT_EQ(*AuthorizationFromSecret(directory_, "bearer", {}), "Bearer abc");
  EXPECT_EQ(*AuthorizationFromSecret(directory_, "basic", {}), "Basic YW5uOnB3");
  EXPECT_EQ(*AuthorizationFromSecret(directory_, "basic", "bob"), "Basic Ym9iOnB3");
  EXPECT_EQ(AuthorizationFromSecret(directory_, "none", {}).status().code(), StatusCode::kNotFound);
}

TEST_F(SecretTest, NeedsBothHalvesOfAClientCertificate) {
  Write("tls/tls.crt", "x");
  EXPECT_THAT(TlsFromSecret(directory_, "tls", {}).status().message(), HasSubstr("only one"));
  Write("tls/tls.key", "x");
  EXPECT_THAT(TlsFromSecret(directory_, "tls", {}).status().message(),
              HasSubstr("tls/tls.crt holds no PEM certificate"));
  const testing::Certificate certificate("client", -60, 60);
  certificate.WriteTo(directory_ + "/tls/tls.crt");
  certificate.WriteKeyTo(directory_ + "/tls/tls.key");
  EXPECT_EQ(TlsFromSecret(directory_, "tls", {})->key_file, directory_ + "/tls/tls.key");
  EXPECT_EQ(TlsFromSecret(directory_, "none", {}).status().code(), StatusCode::kNotFound);
  EXPECT_EQ(TlsFromSecret(directory_, {}, "name")->server_name, "name");
}

}  // namespace
}  // namespace millrace::worker
