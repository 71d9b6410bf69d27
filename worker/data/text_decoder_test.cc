#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/data/format_testing.h"

namespace millrace::worker {
namespace {

using testing::DecodeCase;
using testing::Decoded;
using testing::DecoderOf;
using ::testing::ElementsAre;
using testing::Raw;
using testing::Rows;

void ExpectCases(const api::Format& format, const std::vector<DecodeCase>& cases) {
  const auto decoder = DecoderOf(format);
  for (const DecodeCase& c : cases) EXPECT_EQ(Decoded(decoder.get(), c.record), c.want) << c.record;
}

TEST(SplitTest, CutsLinesAtEitherBreak) {
  std::vector<std::string_view> lines;
  EXPECT_EQ(SplitLines("a\r\n\nb\nc", false, &lines), 6u);
  EXPECT_THAT(lines, ElementsAre("a", "", "b"));
  EXPECT_EQ(SplitLines("c\r", true, &lines), 2u);
  EXPECT_EQ(lines.back(), "c\r");
}

TEST(SplitTest, KeepsLineBreaksInsideQuotes) {
  std::vector<std::string_view> records;
  const std::string_view block = "1,\"a\nb\"\"\n\"\r\n2,5\" disk\n\"x\n";
  EXPECT_EQ(SplitCsvRecords(block, false, &records), 22u);
  EXPECT_THAT(records, ElementsAre("1,\"a\nb\"\"\n\"", "2,5\" disk"));
  EXPECT_EQ(SplitCsvRecords("\"x\ny", true, &records), 4u);
  EXPECT_EQ(records.back(), "\"x\ny");
}

TEST(TextDecoderTest, SharesTheBytesOfTheRecords) {
  const RawRecords raw = Raw({"one", "", "\xC3\xA9"});
  const DecodeResult result = DecoderOf(api::TextFormat{})->Decode(raw);
  EXPECT_EQ(result.batch.column(0).strings[0].data(), raw.payloads[0].data());
  EXPECT_THAT(Rows(result.batch),
              ElementsAre("{\"value\":\"one\"}", "{\"value\":\"\"}", "{\"value\":\"\xC3\xA9\"}"));
}

TEST(TextDecoderTest, RefusesInvalidUtf8LineByLineB48) {
  const DecodeResult result =
      DecoderOf(api::TextFormat{})->Decode(Raw({"ok", "ab\xff", "\xC3", "\xA9", "fine"}));
  EXPECT_THAT(Rows(result.batch), ElementsAre(R"({"value":"ok"})", R"({"value":"fine"})"));
  EXPECT_THAT(result.source_rows, ElementsAre(0u, 4u));
  EXPECT_EQ(result.bad.at(0).message, "invalid UTF-8 at byte 2; use format raw for bytes");
  EXPECT_EQ(result.bad.size(), 3u);
}

TEST(RawDecoderTest, TakesAnyBytes) {
  EXPECT_EQ(Decoded(api::RawFormat{}, "\xff\x01"), R"({"value":"/wE="})");
}

api::CsvFormat Csv(api::SchemaMap schema, std::vector<std::string> columns) {
  api::CsvFormat format;
  format.schema = std::move(schema);
  format.columns = std::move(columns);
  return format;
}

TEST(CsvDecoderTest, ReadsEveryType) {
  const auto format = Csv({{"b", "bool"},
                           {"i", "int"},
                           {"u", "uint"},
                           {"d", "double"},
                           {"s", "string"},
                           {"y", "bytes"},
                           {"t", "timestamp"},
                           {"r", "duration"},
                           {"j", "json"}},
                          {"s", "i", "u", "d", "b", "y", "t", "r", "j", "unread"});
  EXPECT_EQ(
      Decoded(format, "x,-007,7,1.5e3,TRUE,aGk=,2024-06-01T00:00:00Z,1m,\"{\"\"a\"\":1}\",zz"),
      R"({"b":true,"d":1500,"i":-7,"j":{"a":1},"r":"60s","s":"x","t":"2024-06-01T00:00:00Z","u":7,"y":"aGk="})");
}

TEST(CsvDecoderTest, ReadsQuotesAndEmptyFieldsB57) {
  ExpectCases(Csv({{"a", "string"}, {"b", "string?"}}, {"a", "b"}),
              {{",", R"({"a":"","b":null})"},
               {"\"\",\"\"", R"({"a":"","b":""})"},
               {"\"x,\"\"y\"\"\nz\",5\" disk", R"({"a":"x,\"y\"\nz","b":"5\" disk"})"},
               {" a , b ", R"({"a":" a ","b":" b "})"},
               {"", "nothing"},
               {"a", "bad: the record has 1 columns, expected 2"},
               {"a,b,c", "bad: the record has 3 columns, expected 2"},
               {"a,\"b", "bad: the quote at byte 2 is not closed"},
               {"\"a\"x,b", "bad: text behind the closing quote at byte 2"},
               {"a,\xff", "bad: invalid UTF-8 at byte 2"}});
}

TEST(CsvDecoderTest, NamesFieldAndColumnB57) {
  ExpectCases(Csv({{"n", "int"}, {"d", "double?"}}, {"d", "n"}),
              {{"1,x", "bad: field \"n\" (column 2): expected int, found \"x\""},
               {"1,", "bad: field \"n\" (column 2): expected int, found an empty text"},
               {"1,1.5", "bad: field \"n\" (column 2): expected int, found \"1.5\""},
               {"1,9223372036854775808",
                "bad: field \"n\" (column 2): 9223372036854775808 is out of range for int"},
               {"nan,1", "bad: field \"d\" (column 1): expected double, found \"nan\""},
               {"\"\",1", "bad: field \"d\" (column 1): expected double, found an empty text"},
               {",1", R"({"d":null,"n":1})"}});
}

TEST(CsvDecoderTest, ReadsLargeFieldsB57) {
  const std::string big(1 << 20, 'x');
  EXPECT_EQ(Decoded(Csv({{"a", "string"}}, {"a"}), "\"" + big + "\"").size(), big.size() + 8);
}

TEST(CsvDecoderTest, FindsColumnsByTheHeader) {
  api::CsvFormat format = Csv({{"a", "int"}, {"b", "string?"}}, {});
  format.columns.reset();
  format.header = true;
  const auto decoder = DecoderOf(format);
  EXPECT_TRUE(decoder->wants_header());
  EXPECT_EQ(Decoded(decoder.get(), "1,x"), "bad: the csv header line is not known");
  ASSERT_TRUE(decoder->SetHeader("\xEF\xBB\xBF\"b\",c,a").ok());
  EXPECT_EQ(Decoded(decoder.get(), "x,,1"), R"({"a":1,"b":"x"})");
  RawRecords raw = Raw({"2"});
  raw.header = "a";
  EXPECT_THAT(Rows(decoder->Decode(raw).batch), ElementsAre(R"({"a":2,"b":null})"));
  raw.header = "b,c";
  EXPECT_EQ(decoder->Decode(raw).bad.at(0).message,
            "csv header: column \"a\" is missing; there are: b, c");
  EXPECT_EQ(decoder->SetHeader("a,a").message(), "csv header: column \"a\" stands there twice");
}

TEST(RegexDecoderTest, ReadsNamedGroupsOfWholeLines) {
  api::RegexFormat format;
  format.pattern = R"((?P<ip>\S+) \[(?P<at>[^\]]+)\] (?P<status>\d+)(?: (?P<ms>[\d.]+))?)";
  format.schema = {{"ip", "string"}, {"at", "timestamp"}, {"status", "int"}, {"ms", "double?"}};
  format.timestamp_format = {api::TimestampKind::kStrptime, "%d/%b/%Y:%H:%M:%S %z"};
  ExpectCases(format,
              {{"::1 [01/Jun/2024:14:34:56 +0200] 200 1.5",
                R"({"at":"2024-06-01T12:34:56Z","ip":"::1","ms":1.5,"status":200})"},
               {"::1 [01/Jun/2024:14:34:56 +0200] 200",
                R"({"at":"2024-06-01T12:34:56Z","ip":"::1","ms":null,"status":200})"},
               {"::1 [01/Jun/2024:14:34:56 +0200] 200 1.5 x",
                "bad: the record does not match the pattern as a whole"},
               {"::1 [nope] 200",
                "bad: field \"at\": \"nope\" is not a time of the form \"%d/%b/%Y:%H:%M:%S %z\""},
               {"", "bad: the record does not match the pattern as a whole"},
               {"\xff", "bad: invalid UTF-8 at byte 0"}});
  format.schema["ms"] = "double";
  EXPECT_EQ(Decoded(format, "::1 [01/Jun/2024:14:34:56 +0200] 200"),
            "bad: field \"ms\": missing: the group took no part in the match");
}

std::string Problems(const api::Format& format) {
  api::Diagnostics diagnostics;
  EXPECT_FALSE(DeclaredSchema(format, &diagnostics, "f").ok());
  std::string all;
  for (const api::Diagnostic& problem : diagnostics)
    all += problem.path + ": " + problem.message + "\n";
  return all;
}

TEST(DeclaredSchemaTest, NamesWhatIsWrongWithAFormat) {
  api::JsonFormat json;
  json.schema = {{"a", "int"}, {"b", "int"}};
  json.names = {{"a", "b"}, {"c", "d"}};
  json.timestamp_format = {api::TimestampKind::kStrptime, "%"};
  EXPECT_THAT(
      Problems(json),
      ::testing::AllOf(::testing::HasSubstr("f.json.names.c: no such field in the schema"),
                       ::testing::HasSubstr("f.json.names: two fields have the name of \"b\""),
                       ::testing::HasSubstr("f.json.timestampFormat: time layout \"%\"")));
  EXPECT_EQ(Problems(api::CsvFormat{}), "f.csv.schema: is required to read csv\n");
  EXPECT_EQ(Problems(Csv({{"a", "list<int>"}}, {"b", "b"})),
            "f.csv.schema.a: one text cannot hold a list<int>; declare it as json\n"
            "f.csv.columns[1]: \"b\" stands there twice\n"
            "f.csv.columns: field \"a\" of the schema is missing\n");
  api::RegexFormat regex;
  regex.pattern = "(?P<x>a)";
  regex.schema = {{"y", "int"}};
  EXPECT_EQ(Problems(regex),
            "f.regex.schema.y: the pattern has no group (?P<y>...)\n"
            "f.regex.pattern: the group \"x\" has no type in the schema\n");
  EXPECT_EQ(Problems(api::AvroFormat{}), "f.avro: not supported yet: format avro\n");
  EXPECT_EQ(Problems(api::ProtobufFormat{}), "f.protobuf: not supported yet: format protobuf\n");
}

}  // namespace
}  // namespace millrace::worker
