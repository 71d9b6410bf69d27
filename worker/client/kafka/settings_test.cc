#include "worker/client/kafka/settings.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <regex>
#include <string>

namespace millrace::worker {
namespace {

KafkaClientOptions With(const std::string& name, const std::string& value) {
  KafkaClientOptions options;
  options.properties[name] = value;
  return options;
}

TEST(KafkaSettingsTest, TakesThePropertiesThatConcernReading) {
  KafkaClientOptions options;
  options.properties = {{"fetch.message.max.bytes", "2048"},
                        {"check.crcs", "false"},
                        {"fetch.wait.max.ms", "7"},
                        {"linger.ms", "5"},
                        {"client.rack", "r1"}};
  const Result<KafkaSettings> settings = ReadKafkaSettings(options);
  ASSERT_TRUE(settings.ok());
  EXPECT_EQ(settings->partition_max_bytes, 2048);
  EXPECT_FALSE(settings->check_crcs);
  EXPECT_EQ(settings->fetch_wait, std::chrono::milliseconds(7));
  EXPECT_EQ(settings->rack, "r1");
  EXPECT_EQ(settings->client_id, "millrace");
}

TEST(KafkaSettingsTest, NamesThePropertyThatIsWrong) {
  for (const char* value : {"", "-1", "1e3", "99999999999999999999", "true"}) {
    const Status status = ReadKafkaSettings(With("fetch.max.bytes", value)).status();
    EXPECT_EQ(status.code(), StatusCode::kInvalid) << value;
    EXPECT_NE(status.message().find("fetch.max.bytes"), std::string::npos) << value;
  }
  EXPECT_EQ(ReadKafkaSettings(With("check.crcs", "yes")).status().message(),
            "the Kafka property \"check.crcs\" is \"yes\"; expected true or false");
}

// A property that is read refuses nonsense, and accepts the default that the documentation gives
// for it.
TEST(KafkaSettingsTest, ReadsEveryPropertyOfTheDocumentation) {
  const char* const root = std::getenv("MILLRACE_SOURCE_DIR");
  ASSERT_NE(root, nullptr);
  std::ifstream file(std::string(root) + "/docs/kafka-client.md");
  const std::regex row("^\\| (`[^|]*`) \\| (\\d+|true|false) \\|.*");
  const std::regex name("`([a-z.]+)`");
  int properties = 0;
  for (std::string line; std::getline(file, line);) {
    std::smatch match;
    if (!std::regex_match(line, match, row)) continue;
    const std::string names = match[1];
    for (std::sregex_iterator found(names.begin(), names.end(), name), end; found != end;
         ++found, ++properties) {
      EXPECT_FALSE(ReadKafkaSettings(With((*found)[1], "nonsense")).ok()) << (*found)[1];
      EXPECT_TRUE(ReadKafkaSettings(With((*found)[1], match[2])).ok()) << (*found)[1];
    }
  }
  EXPECT_EQ(properties, 18);
}

}  // namespace
}  // namespace millrace::worker
