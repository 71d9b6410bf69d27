#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "crds/base/text.h"
#include "worker/data/format_testing.h"

namespace millrace::worker {
namespace {

using testing::DecodeCase;
using testing::Decoded;
using testing::DecoderOf;
using ::testing::ElementsAre;
using testing::Raw;
using testing::Rows;

api::JsonFormat Json(api::SchemaMap schema) {
  api::JsonFormat format;
  format.schema = std::move(schema);
  return format;
}

void ExpectCases(const api::Format& format, const std::vector<DecodeCase>& cases) {
  const auto decoder = DecoderOf(format);
  for (const DecodeCase& c : cases) EXPECT_EQ(Decoded(decoder.get(), c.record), c.want) << c.record;
}

TEST(JsonDecoderTest, ReadsEveryType) {
  const auto format = Json({{"b", "bool"},
                            {"i", "int"},
                            {"u", "uint"},
                            {"d", "double"},
                            {"s", "string"},
                            {"y", "bytes"},
                            {"t", "timestamp"},
                            {"r", "duration"},
                            {"j", "json"},
                            {"l", "list<int?>"},
                            {"m", "map<string, int>"},
                            {"o", "struct<x: int, y: string?>?"}});
  EXPECT_EQ(
      Decoded(format,
              R"({"b":true,"i":-5,"u":7,"d":1,"s":"a","y":"aGk=","t":"2024-06-01T00:00:00Z",)"
              R"("r":"1m30s","j":{"k":[1, 2]},"l":[1,null],"m":{"p":1},"o":{"x":1}})"),
      R"({"b":true,"d":1,"i":-5,"j":{"k":[1, 2]},"l":[1,null],"m":{"p":1},"o":{"x":1,"y":null},)"
      R"("r":"90s","s":"a","t":"2024-06-01T00:00:00Z","u":7,"y":"aGk="})");
}

TEST(JsonDecoderTest, RefusesWhatIsNotJsonB47) {
  ExpectCases(Json({{"a", "int"}}),
              {{"hello", "bad: not JSON: expected a value at byte 0"},
               {"{\"a\":1", "bad: not JSON: unexpected end at byte 6"},
               {"{\"a\":1,", "bad: not JSON: unexpected end at byte 7"},
               {"{\"a\":", "bad: not JSON: unexpected end at byte 5"},
               {"{\"a", "bad: not JSON: unexpected end at byte 3"},
               {"{", "bad: not JSON: unexpected end at byte 1"},
               {"{\"a\":1} x", "bad: not JSON: unexpected text behind the value at byte 8"},
               {"{\"a\":1}}", "bad: not JSON: unexpected text behind the value at byte 7"},
               {"{\"a\":1}{\"a\":2}", "bad: not JSON: unexpected text behind the value at byte 7"},
               {"\xEF\xBB\xBF{\"a\":1}", "bad: not JSON: byte order mark at byte 0"},
               {"{\"a\" 1}", "bad: not JSON: expected ':' at byte 5"},
               {"{\"a\":1 \"b\":2}", "bad: not JSON: expected ',' or '}' at byte 7"},
               {"{\"b\":{\"c\":1,\"a\":1}", "bad: not JSON: unexpected end at byte 18"},
               {"[{\"a\":1}]", "bad: expected an object, found a list"},
               {"5", "bad: expected an object, found number 5"},
               {"null", "bad: expected an object, found null"},
               {"", "nothing"},
               {" \t ", "nothing"},
               {" {\"a\" : 1 } ", "{\"a\":1}"}});
}

TEST(JsonDecoderTest, RefusesInvalidTextB48) {
  ExpectCases(
      Json({{"a", "string"}}),
      {{"{\"a\":\"\xff\"}", "bad: not JSON: invalid UTF-8 at byte 6"},
       {R"({"a":"\ud800"})", "bad: not JSON: lone surrogate at byte 6"},
       {R"({"a":"\udc00x"})", "bad: not JSON: lone surrogate at byte 6"},
       {R"({"a":"\ud83d\ude00"})", "{\"a\":\"\xF0\x9F\x98\x80\"}"},
       {R"({"a":"x\u0000y"})", R"({"a":"x\u0000y"})"},
       {std::string("{\"a\":\"x\0y\"}", 11), "bad: not JSON: control byte in a string at byte 7"},
       {R"({"a":"\"\\\/\b\f\n\r\t\u00e9"})", "{\"a\":\"\\\"\\\\/\\b\\f\\n\\r\\t\xC3\xA9\"}"},
       {R"({"a":"\x"})", "bad: not JSON: unknown escape at byte 7"},
       {R"({"a":"\u12"})", "bad: not JSON: malformed \\u escape at byte 10"}});
}

TEST(JsonDecoderTest, SurvivesDeepNestingB49) {
  const std::string deep = std::string(100'000, '[') + std::string(100'000, ']');
  const std::string limit = "bad: not JSON: nested deeper than 1024 levels at byte ";
  EXPECT_EQ(Decoded(api::JsonFormat{}, deep), limit + "1024");
  EXPECT_EQ(Decoded(Json({{"a", "json"}}), "{\"a\":" + deep + "}"), limit + "1028");
  EXPECT_EQ(Decoded(Json({{"a", "int"}}), "{\"a\":" + deep + "}"), limit + "1028");
  EXPECT_EQ(Decoded(Json({{"a", "int"}}), deep), limit + "1024");
  EXPECT_EQ(Decoded(Json({{"a", "int"}}), "{\"x\":" + std::string(100'000, '{') + ",\"a\":1}")
                .substr(0, 4),
            "bad:");
}

TEST(JsonDecoderTest, TakesTheLastOfEqualKeysB50) {
  ExpectCases(Json({{"a", "int?"}, {"l", "list<int>?"}, {"m", "map<string, int>?"}}),
              {{R"({"a":1,"a":2})", R"({"a":2,"l":null,"m":null})"},
               {R"({"a":1,"a":null})", R"({"a":null,"l":null,"m":null})"},
               {R"({"l":[1,2],"a":1,"l":[3]})", R"({"a":1,"l":[3],"m":null})"},
               {R"({"m":{"x":1,"y":2,"x":3}})", R"({"a":null,"l":null,"m":{"y":2,"x":3}})"},
               {R"({"a":1,"\u0061":5})", R"({"a":5,"l":null,"m":null})"}});
}

TEST(JsonDecoderTest, ReadsNumbersExactlyB51) {
  ExpectCases(Json({{"i", "int"}}),
              {{R"({"i":9007199254740993})", R"({"i":9007199254740993})"},
               {R"({"i":9223372036854775807})", R"({"i":9223372036854775807})"},
               {R"({"i":-9223372036854775808})", R"({"i":-9223372036854775808})"},
               {R"({"i":-0})", R"({"i":0})"},
               {R"({"i":9223372036854775808})",
                "bad: field \"i\": 9223372036854775808 is out of range for int"},
               {R"({"i":18446744073709551616})",
                "bad: field \"i\": 18446744073709551616 is out of range for int"},
               {R"({"i":1.5})", "bad: field \"i\": expected int, found number 1.5"},
               {R"({"i":1e400})", "bad: field \"i\": expected int, found number 1e400"},
               {R"({"i":01})", "bad: not JSON: malformed number at byte 6"},
               {R"({"i":NaN})", "bad: not JSON: expected a value at byte 5"},
               {R"({"i":+1})", "bad: not JSON: expected a value at byte 5"}});
  ExpectCases(Json({{"u", "uint"}}),
              {{R"({"u":18446744073709551615})", R"({"u":18446744073709551615})"},
               {R"({"u":18446744073709551616})",
                "bad: field \"u\": 18446744073709551616 is out of range for uint"},
               {R"({"u":-1})", "bad: field \"u\": -1 is out of range for uint"}});
  ExpectCases(Json({{"d", "double"}}),
              {{R"({"d":-0})", R"({"d":-0})"},
               {R"({"d":3})", R"({"d":3})"},
               {R"({"d":1e-400})", R"({"d":0})"},
               {R"({"d":5.5})", R"({"d":5.5})"},
               {R"({"d":0.1})", R"({"d":0.1})"},
               {R"({"d":123456789.012345})", R"({"d":123456789.012345})"},
               {R"({"d":1.2345678901234567})", R"({"d":1.2345678901234567})"},
               {R"({"d":-2.50})", R"({"d":-2.5})"},
               {R"({"d":1.})", "bad: not JSON: malformed number at byte 7"},
               {R"({"d":01.5})", "bad: not JSON: malformed number at byte 6"},
               {R"({"d":1.7976931348623157e308})", R"({"d":1.7976931348623157e+308})"},
               {R"({"d":1e400})", "bad: field \"d\": 1e400 is out of range for double"},
               {R"({"d":"1"})", "bad: field \"d\": expected double, found string \"1\""}});
}

TEST(JsonDecoderTest, NamesLargeRecordsB52) {
  const auto format = Json({{"a", "string"}});
  const std::string ten(10 << 20, 'x');
  EXPECT_EQ(Decoded(format, "{\"a\":\"" + ten + "\"}").size(), ten.size() + 8);
  EXPECT_EQ(Decoded(format, std::string((64 << 20) + 1, ' ')),
            "bad: the record has 67108865 bytes, more than the limit of 64 MiB");
}

TEST(JsonDecoderTest, NamesTheFieldThatIsWrongB53) {
  ExpectCases(
      Json({{"amount", "int"},
            {"user", "struct<id: int, tags: list<string>?>?"},
            {"items", "list<struct<qty: int>>?"}}),
      {{"{}", "bad: field \"amount\": missing"},
       {R"({"amount":null})", "bad: field \"amount\": expected int, found null"},
       {R"({"amount":"x"})", "bad: field \"amount\": expected int, found string \"x\""},
       {R"({"amount":{"a":1}})", "bad: field \"amount\": expected int, found an object"},
       {R"({"amount":[1]})", "bad: field \"amount\": expected int, found a list"},
       {R"({"amount":1,"user":{"id":"x"}})",
        "bad: field \"user.id\": expected int, found string \"x\""},
       {R"({"amount":1,"user":{}})", "bad: field \"user.id\": missing"},
       {R"({"amount":1,"user":{"id":1,"tags":["a",5]}})",
        "bad: field \"user.tags[1]\": expected string, found number 5"},
       {R"({"amount":1,"items":[{"qty":1},{"qty":true}]})",
        "bad: field \"items[1].qty\": expected int, found bool true"},
       {R"({"amount":1,"user":5})",
        "bad: field \"user\": expected struct<id: int, tags: list<string>?>, found number 5"},
       {R"({"amount":1,"user":null})", R"({"amount":1,"items":null,"user":null})"}});
}

TEST(JsonDecoderTest, ReadsTimestampsByTheirFormatB54) {
  auto format = Json({{"t", "timestamp"}});
  ExpectCases(
      format,
      {{R"({"t":1717245296})", "bad: field \"t\": expected timestamp, found number 1717245296"},
       {R"({"t":"2023-02-29T00:00:00Z"})",
        "bad: field \"t\": \"2023-02-29T00:00:00Z\" is not an RFC 3339 time; use for example "
        "2024-06-01T00:00:00Z"}});
  format.timestamp_format.kind = api::TimestampKind::kUnixMillis;
  ExpectCases(format, {{R"({"t":1717245296123})", R"({"t":"2024-06-01T12:34:56.123Z"})"},
                       {R"({"t":"1717245296123"})", R"({"t":"2024-06-01T12:34:56.123Z"})"},
                       {R"({"t":true})", "bad: field \"t\": expected timestamp, found bool true"}});
  format.timestamp_format = {api::TimestampKind::kStrptime, "%d.%m.%Y"};
  ExpectCases(format, {{R"({"t":"01.06.2024"})", R"({"t":"2024-06-01T00:00:00Z"})"}});
}

TEST(JsonDecoderTest, ReadsKnownMembersAsItReadNewOnes) {
  const auto format = Json({{"a", "int?"}, {"b", "string?"}, {"t", "timestamp?"}, {"j", "json?"}});
  const std::string known =
      R"({"a":1,"x":"y","b":"text","t":"2024-06-01T00:00:00Z","j":null,"x2":2})";
  std::mt19937 random(7);
  const std::string alphabet =
      "{}[]:,\"\\ \t\n\x01\xc3\xa4"
      "0123456789-.eEntfualsrx";
  for (int round = 0; round < 20'000; ++round) {
    std::string record = known;
    for (int edit = 0; edit < 1 + round % 3; ++edit) {
      const size_t at = random() % record.size();
      const char c = alphabet[random() % alphabet.size()];
      const auto kind = random() % 4;
      if (kind == 0) record.erase(at, 1 + random() % 4);
      if (kind == 1) record.insert(at, 1, c);
      if (kind == 2) record[at] = c;
      if (kind == 3) record.resize(at + 1);
      if (record.empty()) record = "{}";
    }
    const auto decoder = DecoderOf(format);
    EXPECT_EQ(Decoded(decoder.get(), known), Decoded(decoder.get(), known));
    EXPECT_EQ(Decoded(decoder.get(), record), Decoded(format, record)) << record;
  }
}

TEST(JsonDecoderTest, KeepsGoodRowsBetweenBadOnes) {
  const auto decoder =
      DecoderOf(Json({{"a", "int"}, {"l", "list<struct<x: int>>?"}, {"s", "string?"}}));
  const RawRecords raw = Raw({R"({"a":1,"s":"p"})", R"({"s":"q","l":[{"x":1},{"x":"bad"}],"a":2})",
                              "", R"({"a":3,"l":[{"x":9}]})", "{"});
  const DecodeResult result = decoder->Decode(raw);
  EXPECT_THAT(Rows(result.batch),
              ElementsAre(R"({"a":1,"l":null,"s":"p"})", R"({"a":3,"l":[{"x":9}],"s":null})"));
  EXPECT_THAT(result.source_rows, ElementsAre(0u, 3u));
  ASSERT_EQ(result.bad.size(), 2u);
  EXPECT_EQ(result.bad[0].row, 1u);
  EXPECT_EQ(result.bad[1].row, 4u);
}

TEST(JsonDecoderTest, LeavesSourceRowsOutWhenEveryRecordIsGood) {
  const auto decoder = DecoderOf(Json({{"a", "int"}}));
  EXPECT_TRUE(decoder->Decode(Raw({R"({"a":1})", R"({"a":2})"})).source_rows.empty());
  EXPECT_THAT(decoder->Decode(Raw({R"({"a":1})", ""})).source_rows, ElementsAre(0u));
}

TEST(JsonDecoderTest, ReadsWantedFieldsOnlyInAnyOrder) {
  const auto format = Json({{"a", "int"}, {"b", "struct<x: int, y: int>"}, {"c", "string"}});
  const Schema wanted({{"c", Type(Kind::kString)}, {"b", *ParseType("struct<y: int>")}});
  auto decoder = *MakeDecoder(format, std::make_shared<Schema>(wanted));
  const char* want = R"({"c":"q","b":{"y":2}})";
  for (const char* record :
       {R"({"a":"not read","b":{"x":[],"y":2},"c":"q"})", R"({"c":"q","b":{"y":2},"z":1})",
        R"({"b":{"y":2,"x":1},"\u0063":"q"})", R"({"c":"q","a":1,"b":{"y":2}})"}) {
    EXPECT_EQ(Decoded(decoder.get(), record), want) << record;
  }
}

TEST(JsonDecoderTest, LearnsNoOrderThatIsNotThere) {
  const unsigned seed = 7;
  std::mt19937 random(seed);
  const auto decoder = DecoderOf(Json(
      {{"a", "int"}, {"b", "int?"}, {"a_rather_long_member_name_of_41_characters_x", "int?"}}));
  for (int i = 0; i < 3000; ++i) {
    std::vector<std::string> members = {"\"a\":1", "\"b\":2",
                                        "\"a_rather_long_member_name_of_41_characters_x\":3"};
    for (int j = 0; j < 5; ++j) members.push_back("\"k" + std::to_string(random() % 400) + "\":0");
    std::shuffle(members.begin(), members.end(), random);
    ASSERT_EQ(Decoded(decoder.get(), "{" + Join(members, ",") + "}"),
              R"({"a":1,"a_rather_long_member_name_of_41_characters_x":3,"b":2})")
        << "seed " << seed;
  }
}

TEST(JsonDecoderTest, RefusesUnknownFieldsWhenAskedTo) {
  auto format = Json({{"a", "int"}, {"agent", "string?"}, {"o", "struct<x: int>?"}});
  format.unknown_fields = api::JsonFormat::UnknownFields::kError;
  format.names = {{"agent", "user-agent"}};
  ExpectCases(format, {{R"({"a":1,"user-agent":"m"})", R"({"a":1,"agent":"m","o":null})"},
                       {R"({"a":1,"agent":"m"})",
                        "bad: field \"agent\": not in the schema (unknownFields: Error)"},
                       {R"({"a":1,"o":{"x":1,"y":2}})",
                        "bad: field \"o.y\": not in the schema (unknownFields: Error)"}});
  const Schema wanted({{"a", Type(Kind::kInt)}});
  auto pruned = *MakeDecoder(format, std::make_shared<Schema>(wanted));
  EXPECT_EQ(Decoded(pruned.get(), R"({"a":1,"user-agent":"m","o":5})"), R"({"a":1})");
}

TEST(JsonDecoderTest, KeepsValuesWithoutASchemaAsText) {
  ExpectCases(api::JsonFormat{},
              {{" [1, {\"a\":2}] ", R"({"value":[1, {"a":2}]})"},
               {"1 2", "bad: not JSON: unexpected text behind the value at byte 2"},
               {"", "nothing"}});
}

TEST(JsonDecoderTest, KeepsStringsAliveAfterTheRecordsAreGone) {
  DecodeResult result;
  {
    const auto decoder = DecoderOf(Json({{"a", "list<string>"}}));
    result = decoder->Decode(Raw({R"({"a":["plain","with \"escapes\""]})"}));
  }
  EXPECT_THAT(Rows(result.batch), ElementsAre(R"({"a":["plain","with \"escapes\""]})"));
}

TEST(JsonDecoderTest, TakesNullRecordsAsRowsOfNullsB46) {
  RawRecords raw = Raw({"", R"({"a":1})"});
  raw.null_payload = {1, 0};
  EXPECT_THAT(Rows(DecoderOf(Json({{"a", "int?"}}))->Decode(raw).batch),
              ElementsAre(R"({"a":null})", R"({"a":1})"));
  EXPECT_EQ(
      DecoderOf(Json({{"a", "int"}}))->Decode(raw).bad.at(0).message,
      "the record is null (a tombstone); tombstones: Keep needs fields that are all nullable");
}

}  // namespace
}  // namespace millrace::worker
