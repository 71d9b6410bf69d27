#include "crds/api/text_rule.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include <array>
#include <random>
#include <string>
#include <vector>

namespace millrace::api {
namespace {

const std::array kRules{
    &kAnyText,        &kNonEmptyText, &kName,     &kReference,      &kObjectName, &kFieldReference,
    &kKubernetesName, &kSecretKey,    &kTypeText, &kExpressionText, &kRegexText,  &kHostPort,
    &kHost,           &kTopic,        &kPath,     &kSubpath,        &kHttpUrl,    &kSqlUrl,
    &kImage,          &kQuantity,     &kSqlName,  &kIndexName};

// Texts near what the rules accept, each changed in up to three places.
std::vector<std::string> Texts() {
  const std::vector<std::string> seeds{"kafka:9092",
                                       "[::1]:6379",
                                       "[fe80::1]",
                                       "a",
                                       "word_count",
                                       "__key",
                                       "word-count.risk",
                                       "ca.crt",
                                       "/data/in/*.csv",
                                       "http://crm:8080/customers?x=a@b",
                                       "https://search",
                                       "postgresql://db:5432/crm",
                                       "mysql://db/crm",
                                       "registry:5000/millrace@sha256:00ff",
                                       "512Mi",
                                       "1.5k",
                                       "500m",
                                       ".5",
                                       "schema.orders",
                                       "endpoints-2024.06"};
  constexpr std::string_view kSigns = "az09AZ._-/:@[] ?#+%$KMim";
  std::mt19937 random(20240601);
  std::vector<std::string> texts;
  for (int round = 0; round < 500; ++round) {
    for (std::string text : seeds) {
      for (size_t changes = random() % 4; changes > 0; --changes) {
        const std::string sign(1, kSigns[random() % kSigns.size()]);
        text.replace(random() % (text.size() + 1), random() % 2, sign);
      }
      texts.push_back(std::move(text));
    }
  }
  return texts;
}

TEST(TextRuleTest, AcceptsOnlyTextsOfItsShape) {
  const std::vector<std::string> texts = Texts();
  for (const TextRule* rule : kRules) {
    const RE2 pattern(re2::StringPiece(rule->shape.pattern.data(), rule->shape.pattern.size()));
    ASSERT_TRUE(pattern.ok()) << rule->type;
    size_t accepted = 0;
    for (const std::string& text : texts) {
      if (!rule->Check(text).ok()) continue;
      ++accepted;
      EXPECT_TRUE(RE2::PartialMatch(text, pattern)) << rule->type << " accepts " << text;
      EXPECT_GE(text.size(), rule->shape.min_length) << rule->type << " accepts " << text;
    }
    EXPECT_GT(accepted, 10u) << rule->type;
  }
}

TEST(TextRuleTest, RefusesTextsLongerThanItsShape) {
  for (const TextRule* rule : kRules) {
    if (rule->shape.max_length == 0) continue;
    EXPECT_FALSE(rule->Check(std::string(rule->shape.max_length + 1, 'a')).ok()) << rule->type;
  }
}

}  // namespace
}  // namespace millrace::api
