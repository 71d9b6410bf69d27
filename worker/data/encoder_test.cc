#include <gtest/gtest.h>

#include <limits>

#include "worker/data/column_testing.h"
#include "worker/data/format_testing.h"

namespace millrace::worker {
namespace {

using testing::Batch;
using testing::Decoded;
using testing::Doubles;
using testing::Ints;
using testing::Strings;

// The text that a batch is written as, bad rows as "row: message" lines behind it.
std::string Encoded(const api::Format& format, const RecordBatch& batch) {
  const auto encoder = MakeEncoder(format, batch.schema_ref());
  if (!encoder.ok()) return encoder.status().message();
  std::string out;
  std::vector<BadRecord> bad;
  std::vector<size_t> ends;
  (*encoder)->Encode(batch, &out, &ends, &bad);
  EXPECT_EQ(ends.size(), batch.num_rows());
  EXPECT_EQ(ends.empty() ? 0 : ends.back(), out.size());
  for (const BadRecord& record : bad)
    out += std::to_string(record.row) + ": " + record.message + "\n";
  return (*encoder)->Header() + out;
}

TEST(JsonEncoderTest, WritesVisibleFieldsInSchemaOrder) {
  const RecordBatch batch = Batch({{"b", Strings({"x", std::nullopt})},
                                   {"__key", Strings({"k", "k"})},
                                   {"a", Ints({1, -2})},
                                   {"t", Ints({0, 1500000}, Kind::kTimestamp)}});
  api::JsonFormat format;
  EXPECT_EQ(Encoded(format, batch),
            "{\"b\":\"x\",\"a\":1,\"t\":\"1970-01-01T00:00:00Z\"}\n"
            "{\"b\":null,\"a\":-2,\"t\":\"1970-01-01T00:00:01.500Z\"}\n");
  format.omit_null = true;
  format.names = {{"a", "@a"}};
  format.timestamp_format.kind = api::TimestampKind::kUnixSeconds;
  EXPECT_EQ(Encoded(format, batch), "{\"b\":\"x\",\"@a\":1,\"t\":0}\n{\"@a\":-2,\"t\":1.5}\n");
  format.names = {{"a", "b"}};
  EXPECT_EQ(Encoded(format, batch), "json.names: two fields would be written as \"b\"");
  format.names = {{"q", "b"}};
  EXPECT_EQ(Encoded(format, batch).substr(0, 27), "json.names: no field \"q\" in");
}

TEST(JsonEncoderTest, EscapesWhateverStringsHoldB63) {
  EXPECT_EQ(Encoded(api::JsonFormat{},
                    Batch({{"s", Strings({"\"\\\n\r\n'; DROP TABLE", std::string("\0", 1)})}})),
            "{\"s\":\"\\\"\\\\\\n\\r\\n'; DROP TABLE\"}\n{\"s\":\"\\u0000\"}\n");
}

TEST(JsonEncoderTest, KeepsEachRecordOnOneLine) {
  auto column = std::make_shared<Column>(Type(Kind::kJson));
  column->AppendView("{\n \"a\": 1\r\n}");
  EXPECT_EQ(Encoded(api::JsonFormat{}, Batch({{"j", column}})), "{\"j\":{  \"a\": 1  }}\n");
}

TEST(JsonEncoderTest, RefusesWhatJsonCannotSayB62) {
  const double inf = std::numeric_limits<double>::infinity();
  EXPECT_EQ(
      Encoded(api::JsonFormat{},
              Batch({{"d", Doubles({1.5, std::numeric_limits<double>::quiet_NaN(), -inf, 2})}})),
      "{\"d\":1.5}\n{\"d\":2}\n1: field \"d\": NaN cannot be written\n2: field \"d\": -infinity "
      "cannot be written\n");
  auto list = std::make_shared<Column>(testing::TypeOf("list<struct<x: double>>"));
  list->children[0]->children[0]->AppendDouble(inf);
  list->children[0]->FinishStruct();
  list->FinishList();
  EXPECT_EQ(Encoded(api::JsonFormat{}, Batch({{"l", list}})),
            "0: field \"l\": infinity cannot be written\n");
}

TEST(JsonEncoderTest, RefusesInvalidUtf8B48) {
  EXPECT_EQ(Encoded(api::JsonFormat{}, Batch({{"s", Strings({"ok", "a\xff"})}})),
            "{\"s\":\"ok\"}\n1: field \"s\": invalid UTF-8 at byte 1\n");
}

TEST(CsvEncoderTest, QuotesWhereNeededB63) {
  const RecordBatch batch =
      Batch({{"a", Strings({"plain", "x,y", "q\"q", "l\nm", "l\r", "'; DROP TABLE", ""})},
             {"b", Ints({1, 2, 3, 4, 5, 6, std::nullopt})}});
  EXPECT_EQ(Encoded(api::CsvFormat{}, batch),
            "plain,1\n\"x,y\",2\n\"q\"\"q\",3\n\"l\nm\",4\n\"l\r\",5\n'; DROP TABLE,6\n,\n");
  api::CsvFormat format;
  format.columns = {"b", "a"};
  format.header = true;
  format.delimiter = ';';
  EXPECT_EQ(Encoded(format, batch).substr(0, 20), "b;a\n1;plain\n2;x,y\n3;");
}

TEST(CsvEncoderTest, TellsNullFromEmpty) {
  EXPECT_EQ(
      Encoded(api::CsvFormat{}, Batch({{"a", Strings({"", std::nullopt})}, {"b", Ints({1, 2})}})),
      "\"\",1\n,2\n");
}

TEST(CsvEncoderTest, WantsEveryFieldNamedOnce) {
  api::CsvFormat format;
  format.columns = {"a", "c"};
  const RecordBatch batch = Batch({{"a", Ints({1})}, {"b", Ints({2})}});
  EXPECT_EQ(Encoded(format, batch), "csv.columns: no field \"c\" in {a: int, b: int}");
  format.columns = {"a"};
  EXPECT_EQ(Encoded(format, batch),
            "csv.columns: field \"b\" must stand there once; a field that is not to be written is "
            "left out of the sink's "
            "fields");
}

TEST(CsvEncoderTest, WritesWhatItReads) {
  api::CsvFormat format;
  format.schema = {{"a", "string?"}, {"d", "double"}};
  format.columns = {"a", "d"};
  const std::string text =
      Encoded(format, Batch({{"a", Strings({"x\"\n,y"})}, {"d", Doubles({0.1})}}));
  EXPECT_EQ(Decoded(format, text.substr(0, text.size() - 1)), R"({"a":"x\"\n,y","d":0.1})");
}

TEST(TextEncoderTest, WritesOneValueALine) {
  EXPECT_EQ(Encoded(api::TextFormat{}, Batch({{"value", Strings({"a", "b\nc", "\xff"})}})),
            "a\n1: field \"value\": a line break at byte 1 would cut the record in two; write json "
            "or csv\n"
            "2: field \"value\": invalid UTF-8 at byte 0\n");
  EXPECT_EQ(Encoded(api::TextFormat{}, Batch({{"word", Strings({"a"})}})),
            "format text writes records of exactly one field, value: string; this record has "
            "{word: string}");
}

TEST(EncoderTest, RefusesFormatsThatOnlyRead) {
  EXPECT_EQ(Encoded(api::RegexFormat{}, Batch({{"a", Ints({1})}})),
            "format regex only reads; write text, json or csv");
  EXPECT_EQ(Encoded(api::AvroFormat{}, Batch({{"a", Ints({1})}})),
            "not supported yet: format avro");
}

}  // namespace
}  // namespace millrace::worker
