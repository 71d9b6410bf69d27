#include "worker/sink/file/file_name.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace millrace::worker {
namespace {

TEST(DataFileNameTest, ReadsBackWhateverTheStageIsCalled) {
  for (const std::string stage :
       {"counts.aggregate", "a-b-1-2-0123abcd.json", "in/put", "%", "ä", "x y", "_s", ""}) {
    const DataFileName name{"counts", stage, 12, 9'007'199'254'740'993, "0123abcd"};
    const std::string text = name.Format("json.gz");
    EXPECT_EQ(text.find('/'), std::string::npos) << text;
    const std::optional<DataFileName> read = DataFileName::Parse(text);
    ASSERT_TRUE(read.has_value()) << text;
    EXPECT_EQ(*read, name) << text;
  }
}

TEST(DataFileNameTest, LooksAsDocumented) {
  EXPECT_EQ((DataFileName{"counts", "counts.aggregate", 3, 12, "0123abcd"}.Format("csv.zst")),
            "counts-counts.aggregate-3-12-0123abcd.csv.zst");
}

TEST(DataFileNameTest, IgnoresOtherFiles) {
  for (const std::string name :
       {"", "data.json", "a-b-1-2-0123abcd", "a-b-1-2-0123abc.json", "a-b-1-2-0123ABCD.json",
        "a-b-x-2-0123abcd.json", "a-b-1--2-0123abcd.json", "a-b-01-2-0123abcd.json",
        "-b-1-2-0123abcd.json", "a-b-c-1-2-0123abcd.json",
        "a-b-1-99999999999999999999-0123abcd.json", "a-%zz-1-2-0123abcd.json"}) {
    EXPECT_FALSE(DataFileName::Parse(name).has_value()) << name;
  }
}

TEST(SubfolderTest, MustStayBelowThePathAndVisible) {
  for (const std::string folder :
       {"a", "dt=2024-06-01/hour=00", "a/b/c", "a b", "ä", "a..b", "x_"}) {
    EXPECT_TRUE(CheckSubfolder(folder).ok()) << folder;
  }
  const std::string long_part(256, 'x');
  for (const std::string& folder :
       {std::string(""), std::string("/"), std::string("/etc"), std::string(".."),
        std::string("a/../b"), std::string("a/.."), std::string("."), std::string("a//b"),
        std::string("a/"), std::string("_staging"), std::string("a/.hidden"), std::string("a\nb"),
        std::string("a\0b", 3), long_part}) {
    EXPECT_EQ(CheckSubfolder(folder).code(), StatusCode::kInvalid) << folder;
  }
}

}  // namespace
}  // namespace millrace::worker
