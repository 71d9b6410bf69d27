#include "worker/sink/redis/row_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "worker/sink/redis/redis_setup.h"
#include "worker/sink/word_rows.h"

namespace millrace::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using KeyType = api::RedisSink::Type;

ProgramRef Compile(const std::string& text) {
  if (text.empty()) return nullptr;
  std::vector<ExprError> errors;
  const auto program = Program::Compile(text, {*WordSchema(), {}}, &errors);
  EXPECT_TRUE(program.ok()) << program.status();
  return *program;
}

RedisRowBuilder Builder(KeyType type, const std::string& value = "", const std::string& score = "",
                        const std::string& delete_when = "") {
  const Projection projection(*WordSchema(), std::nullopt);
  auto encoder = MakeEncoder(api::JsonFormat{}, projection.schema());
  return RedisRowBuilder(
      type, {Compile("'k:' + word"), Compile(value), Compile(score), Compile(delete_when)},
      projection, std::move(encoder).value());
}

// "<letter> <key> <arguments...>" of each change.
std::vector<std::string> Texts(const RedisChanges& built) {
  std::vector<std::string> texts;
  for (const RedisChange& change : built.changes) {
    std::string text(1, static_cast<char>(change.op));
    text += " " + std::string(change.key);
    for (size_t i = change.args_begin; i < change.args_end; ++i) {
      text += " " + std::string(built.args[i]);
    }
    texts.push_back(text);
  }
  return texts;
}

std::vector<std::string> Changes(RedisRowBuilder builder, const std::vector<WordRow>& rows) {
  std::vector<RejectedRow> rejected;
  std::vector<std::string> texts = Texts(builder.Build(WordBatch(rows), &rejected));
  for (const RejectedRow& row : rejected) texts.push_back(row.reason + ": " + row.message);
  return texts;
}

TEST(RedisRowBuilderTest, MakesAChangeOfEachTypeFromARow) {
  const std::vector<WordRow> rows = {{"a", 1}};
  EXPECT_THAT(Changes(Builder(KeyType::kHash), rows), ElementsAre("H k:a word a count 1"));
  EXPECT_THAT(Changes(Builder(KeyType::kStream), rows), ElementsAre("X k:a word a count 1"));
  EXPECT_THAT(Changes(Builder(KeyType::kString), rows),
              ElementsAre(R"(S k:a {"word":"a","count":1})"));
  EXPECT_THAT(Changes(Builder(KeyType::kList, "count"), rows), ElementsAre("R k:a 1"));
  EXPECT_THAT(Changes(Builder(KeyType::kSortedSet, "word", "double(count) / 4.0"), rows),
              ElementsAre("Z k:a 0.25 a"));
}

TEST(RedisRowBuilderTest, DeletesKeysAndMembersOfRemovedRows) {
  const std::vector<WordRow> rows = {{"a", 1, true}, {"b", 9}, {"c", 2}};
  EXPECT_THAT(Changes(Builder(KeyType::kHash, "", "", "count == 9"), rows),
              ElementsAre("D k:a", "D k:b", "H k:c word c count 2"));
  EXPECT_THAT(Changes(Builder(KeyType::kSortedSet, "word", "count", "count == 9"), rows),
              ElementsAre("M k:a a", "M k:b b", "Z k:c 2 c"));
}

TEST(RedisRowBuilderTest, RefusesRowsWhoseExpressionsFail) {
  EXPECT_THAT(Changes(Builder(KeyType::kList, "1 / count"), {{"a", 0}, {"b", 1}}),
              ElementsAre("R k:b 1", testing::StartsWith("Encode: valueExpr: ")));
  EXPECT_THAT(
      Changes(Builder(KeyType::kSortedSet, "word", "double(count) / 0.0"), {{"a", 0}, {"b", 1}}),
      ElementsAre("Z k:b +inf b", "Rejected: scoreExpr is no number"));
}

TEST(RedisRowBuilderTest, RemovesNullFieldsFromHashes) {
  const auto schema = std::make_shared<Schema>(std::vector<Field>{
      {"word", Type(Kind::kString)}, {"note", Type(Kind::kString).AsNullable()}});
  auto word = std::make_shared<Column>(Type(Kind::kString));
  auto note = std::make_shared<Column>(Type(Kind::kString).AsNullable());
  for (const char* text : {"a", "b"}) word->AppendView(text);
  note->AppendNull();
  note->AppendView("x");
  std::vector<ExprError> errors;
  RedisRowBuilder builder(KeyType::kHash,
                          {*Program::Compile("word", {*schema, {}}, &errors), {}, {}, {}},
                          Projection(*schema, std::nullopt), nullptr);
  std::vector<RejectedRow> rejected;
  const RedisChanges built = builder.Build(RecordBatch(schema, {word, note}, 2), &rejected);
  EXPECT_THAT(Texts(built), ElementsAre("H a word a", "U a note", "H b word b note x"));
  EXPECT_THAT(rejected, IsEmpty());
}

TEST(HashTagTest, IsTheTagOfALiteralInFront) {
  EXPECT_EQ(HashTagOf("'{orders}:' + string(id)"), "orders");
  EXPECT_EQ(HashTagOf("  \"a{t}b{u}\" + id"), "t");
  for (const char* text : {"id", "'plain' + id", "'{}' + id", "'{open' + id", "id + '{t}'",
                           "'\\x7bt}' + id", "''", "'"}) {
    EXPECT_EQ(HashTagOf(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace millrace::worker
