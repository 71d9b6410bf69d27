#include "worker/client/tls_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "worker/client/tls_testing.h"

namespace millrace::worker {
namespace {

using testing::Certificate;
using ::testing::MatchesRegex;

constexpr long kHour = 3600;

class TlsFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/tls-files-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    good_.WriteTo(Path("good.crt"));
    good_.WriteKeyTo(Path("good.key"));
    other_.WriteKeyTo(Path("other.key"));
    good_.WriteKeyTo(Path("locked.key"), "hunter2");
    std::ofstream(Path("garbage")) << "-----BEGIN NOTHING-----\n";
    std::ofstream(Path("empty"));
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string Path(const std::string& name) const { return directory_ + "/" + name; }
  std::string Check(const std::string& ca, const std::string& certificate = "",
                    const std::string& key = "") const {
    const auto path = [&](const std::string& name) { return name.empty() ? "" : Path(name); };
    std::string message = CheckTlsFiles({path(ca), path(certificate), path(key), ""}).message();
    for (size_t at; (at = message.find(directory_ + "/")) != std::string::npos;)
      message.erase(at, directory_.size() + 1);
    return message;
  }

  std::string directory_;
  Certificate good_{"good", -kHour, kHour};
  Certificate other_{"other", -kHour, kHour};
};

TEST_F(TlsFilesTest, NamesTheFileThatNoHandshakeCanUse) {
  EXPECT_EQ(Check(""), "");
  EXPECT_EQ(Check("good.crt", "good.crt", "good.key"), "");
  EXPECT_EQ(Check("missing"), "open missing: No such file or directory");
  EXPECT_EQ(Check("garbage"), "CA file garbage holds no PEM certificate");
  EXPECT_EQ(Check("empty"), "CA file empty holds no PEM certificate");
  EXPECT_EQ(Check("good.key"), "CA file good.key holds no PEM certificate");
  EXPECT_EQ(Check("", "missing", "good.key"), "open missing: No such file or directory");
  EXPECT_EQ(Check("", "garbage", "good.key"), "certificate file garbage holds no PEM certificate");
  EXPECT_EQ(Check("", "good.crt", "missing"), "open missing: No such file or directory");
  EXPECT_EQ(Check("", "good.crt", "good.crt"), "key file good.crt holds no PEM private key");
  EXPECT_EQ(Check("", "good.crt", "other.key"),
            "key file other.key does not belong to certificate file good.crt");
  EXPECT_EQ(Check("", "good.crt", "locked.key"),
            "key file locked.key is encrypted; write it without a passphrase (openssl pkey -in ... "
            "-out ...)");
}

TEST_F(TlsFilesTest, NamesWhenACertificateIsOutOfDate) {
  const Certificate old("old", -2 * kHour, -kHour);
  old.WriteTo(Path("old.crt"));
  old.WriteKeyTo(Path("old.key"));
  EXPECT_THAT(Check("", "old.crt", "old.key"),
              MatchesRegex("certificate file old.crt has expired on [A-Z].* GMT"));
  const Certificate early("early", kHour, 2 * kHour);
  early.WriteTo(Path("early.crt"));
  early.WriteKeyTo(Path("early.key"));
  EXPECT_THAT(Check("", "early.crt", "early.key"),
              MatchesRegex("certificate file early.crt is not valid before [A-Z].* GMT"));
}

}  // namespace
}  // namespace millrace::worker
