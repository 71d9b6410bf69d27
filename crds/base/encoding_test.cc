#include <gtest/gtest.h>

#include <cmath>

#include "crds/base/json_writer.h"
#include "crds/base/text.h"

namespace millrace {
namespace {

TEST(Base64Test, MatchesTheVectorsOfRfc4648) {
  const std::vector<std::pair<std::string, std::string>> cases{
      {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
      {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : cases) {
    EXPECT_EQ(Base64Encode(plain), encoded);
    EXPECT_EQ(Base64Decode(encoded).value(), plain);
  }
  for (const std::string bad : {"Zg", "Zg=", "Z===", "Zh==", "Zm9v!A==", "Zg==Zg=="}) {
    EXPECT_FALSE(Base64Decode(bad).ok()) << bad;
  }
}

TEST(Sha256Test, MatchesFips180) {
  EXPECT_EQ(HexEncode(Sha256("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HexEncode(Sha256("")),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(RandomHexTest, GivesTwoDigitsAByteAndDiffers) {
  EXPECT_EQ(RandomHex(16).size(), 32u);
  EXPECT_NE(RandomHex(16), RandomHex(16));
}

TEST(JsonWriterTest, PlacesCommasAndKeys) {
  JsonWriter writer;
  writer.BeginObject();
  writer.Key("a");
  writer.BeginArray();
  writer.Int(-1);
  writer.Uint(2);
  writer.Bool(true);
  writer.Null();
  writer.BeginObject();
  writer.EndObject();
  writer.EndArray();
  writer.Key("b\n");
  writer.String("x");
  writer.Key("c");
  writer.Raw("[1]");
  writer.EndObject();
  EXPECT_EQ(writer.text(), "{\"a\":[-1,2,true,null,{}],\"b\\n\":\"x\",\"c\":[1]}");
}

TEST(JsonWriterTest, WritesTheShortestDouble) {
  const std::vector<std::pair<double, std::string>> cases{
      {0.1, "0.1"}, {1e300, "1e+300"},      {3, "3"},
      {-0.0, "-0"}, {std::nan(""), "null"}, {HUGE_VAL, "null"}};
  for (const auto& [value, want] : cases) {
    JsonWriter writer;
    writer.Double(value);
    EXPECT_EQ(writer.text(), want);
  }
}

}  // namespace
}  // namespace millrace
