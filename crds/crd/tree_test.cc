#include "crds/crd/tree.h"

#include <gtest/gtest.h>

namespace millrace::crd {
namespace {

TEST(TreeTest, KeepsTheOrderOfMembers) {
  Tree tree{{"b", 1}, {"a", 2.5}, {"c", true}};
  tree.Set("b", "new");
  EXPECT_EQ(tree.ToJson(), R"({"b":"new","a":2.5,"c":true})");
}

TEST(TreeTest, WritesNestedYamlInBlocks) {
  const Tree tree{{"list", Tree::List({Tree{{"a", 1}, {"b", Tree()}}, Tree("x")})},
                  {"none", Tree::List()}};
  EXPECT_EQ(tree.ToYaml(), "list:\n  - a: 1\n    b: {}\n  - x\nnone: []\n");
}

TEST(TreeTest, QuotesTextsThatYamlReadsAsSomethingElse) {
  for (const char* text : {"no", "Yes", "null", "1s", "", "a: b", "# x", "{}", "^[a-z]$", "x "}) {
    const Tree tree{{"k", text}};
    EXPECT_EQ(tree.ToYaml().substr(0, 4), "k: \"") << text;
  }
  EXPECT_EQ((Tree{{"k", "Plain words, as they are."}}.ToYaml()), "k: Plain words, as they are.\n");
}

}  // namespace
}  // namespace millrace::crd
