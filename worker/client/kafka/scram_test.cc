#include "worker/client/kafka/scram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millrace::worker {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// RFC 7677, section 3.
constexpr char kNonce[] = "rOprNGfwEbeRWgbNEkqO";
constexpr char kServerFirst[] =
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
constexpr char kServerFinal[] = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

ScramClient Client(std::string_view user = "user") {
  return {ScramHash::kSha256, user, "pencil", kNonce};
}

TEST(ScramTest, SaysWhatTheStandardsExampleSays) {
  ScramClient client = Client();
  EXPECT_EQ(client.First(), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  const Result<std::string> final = client.Final(kServerFirst);
  ASSERT_TRUE(final.ok());
  EXPECT_EQ(*final,
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
            "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  EXPECT_TRUE(client.Verify(kServerFinal).ok());
}

TEST(ScramTest, FindsOutServersThatDoNotKnowThePassword) {
  ScramClient client = Client();
  EXPECT_FALSE(client.Verify("v=").ok());
  ASSERT_TRUE(client.Final(kServerFirst).ok());
  for (const char* answer :
       {"", "v=", "v=AAAA", "v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "e=other-error"}) {
    EXPECT_EQ(client.Verify(answer).code(), StatusCode::kInvalid) << answer;
  }
}

TEST(ScramTest, RefusesWeakOrMalformedChallenges) {
  for (const char* challenge :
       {"", "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=1", "r=rOprNGfwEbeRWgbNEkqOx,s=W22Z,i=2000000000",
        "r=rOprNGfwEbeRWgbNEkqO,s=W22Z,i=4096", "r=another,s=W22Z,i=4096",
        "r=rOprNGfwEbeRWgbNEkqOx,s=!,i=4096"}) {
    const Result<std::string> final = Client().Final(challenge);
    ASSERT_FALSE(final.ok()) << challenge;
    EXPECT_THAT(final.status().message(), Not(HasSubstr("pencil")));
  }
}

TEST(ScramTest, EscapesUserNames) {
  EXPECT_THAT(Client("a=b,c").First(), HasSubstr("n=a=3Db=2Cc,"));
}

}  // namespace
}  // namespace millrace::worker
