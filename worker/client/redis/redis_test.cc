#include "worker/client/redis/redis.h"

#include <gtest/gtest.h>

#include "worker/client/redis/error.h"
#include "worker/client/redis/resp.h"
#include "worker/client/redis/safety.h"

namespace millrace::worker {
namespace {

TEST(RedisSlotTest, HashesTheTagOrTheWholeKey) {
  EXPECT_EQ(RedisSlot("123456789"), 0x31C3);  // the check value of CRC-16/XMODEM
  EXPECT_EQ(RedisSlot("foo"), 12182);
  EXPECT_EQ(RedisSlot("{foo}.bar"), RedisSlot("foo"));
  EXPECT_EQ(RedisSlot("x{foo}{bar}"), RedisSlot("foo"));
  EXPECT_NE(RedisSlot("{}foo"), RedisSlot("foo"));
  EXPECT_EQ(RedisSlot("foo{"), RedisSlot("foo{"));
  EXPECT_EQ(RedisSlot(""), 0);
}

TEST(RespTest, FramesArgumentsOfAnyBytes) {
  const std::string_view args[] = {"SET", std::string_view("a\r\n\0", 4), ""};
  std::string out;
  AppendRequest(args, &out);
  EXPECT_EQ(out, std::string("*3\r\n$3\r\nSET\r\n$4\r\na\r\n\0\r\n$0\r\n\r\n", 29));
}

std::vector<RedisReply> ReadAll(ReplyReader* reader, std::string_view bytes, size_t step) {
  std::vector<RedisReply> replies;
  for (size_t at = 0; at < bytes.size(); at += step) {
    EXPECT_TRUE(reader->Feed(bytes.substr(at, step)).ok());
    while (true) {
      RedisReply reply;
      const Result<bool> got = reader->Next(&reply);
      EXPECT_TRUE(got.ok()) << got.status();
      if (!got.ok() || !*got) break;
      replies.push_back(std::move(reply));
    }
  }
  return replies;
}

TEST(ReplyReaderTest, ReadsEveryTypeHoweverTheBytesArrive) {
  const std::string bytes =
      "+OK\r\n:-42\r\n$5\r\na\r\nbc\r\n$-1\r\n-ERR "
      "no\r\n*3\r\n:1\r\n*1\r\n$1\r\nx\r\n*-1\r\n*0\r\n";
  for (const size_t step : {size_t{1}, size_t{3}, bytes.size()}) {
    ReplyReader reader(1000);
    const std::vector<RedisReply> replies = ReadAll(&reader, bytes, step);
    ASSERT_EQ(replies.size(), 7U);
    EXPECT_EQ(replies[0].text, "OK");
    EXPECT_EQ(replies[1].integer, -42);
    EXPECT_EQ(replies[2].text, "a\r\nbc");
    EXPECT_TRUE(replies[3].nil());
    EXPECT_TRUE(replies[4].is_error());
    ASSERT_EQ(replies[5].items.size(), 3U);
    EXPECT_EQ(replies[5].items[1].items[0].text, "x");
    EXPECT_TRUE(replies[5].items[2].nil());
    EXPECT_EQ(replies[6].type, RedisReply::Type::kArray);
  }
}

TEST(ReplyReaderTest, RefusesWhatIsNoReplyOrTooLarge) {
  const std::string nested = "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n";
  const std::string cases[] = {"HTTP/1.1 200 OK\r\n",
                               "%1\r\n:1\r\n:2\r\n",
                               "#t\r\n",
                               ",1.5\r\n",
                               "*1000000000\r\n",
                               nested,
                               std::string(2000, '$'),
                               "$9999999999999\r\n" + std::string(2000, 'x')};
  for (const std::string& bytes : cases) {
    ReplyReader reader(1000);
    Status status = reader.Feed(bytes);
    RedisReply reply;
    if (status.ok()) status = reader.Next(&reply).status();
    EXPECT_EQ(status.code(), StatusCode::kInternal) << bytes.substr(0, 40);
  }
}

TEST(ReplyReaderTest, LimitsEachReplyNotTheirSum) {
  ReplyReader reader(1000);
  const std::string one = "$900\r\n" + std::string(900, 'x') + "\r\n";
  std::string bytes;
  for (int i = 0; i < 20; ++i) bytes += one;
  EXPECT_EQ(ReadAll(&reader, bytes, 700).size(), 20U);
}

TEST(RedisReplyTest, ClassesErrorsByWhatTheyMean) {
  const struct {
    const char* text;
    StatusCode want;
    bool passes;
    bool full;
  } cases[] = {
      {"LOADING Redis is loading the dataset in memory", StatusCode::kUnavailable, true, false},
      {"TRYAGAIN Multiple keys request during rehashing of slot", StatusCode::kUnavailable, true,
       false},
      {"READONLY You can't write against a read only replica.", StatusCode::kUnavailable, true,
       false},
      {"ERR max number of clients reached", StatusCode::kUnavailable, true, false},
      {"NOREPLICAS Not enough good replicas to write.", StatusCode::kUnavailable, false, false},
      {"OOM command not allowed when used memory > 'maxmemory'.", StatusCode::kUnavailable, false,
       true},
      {"ERR Error running script (call to f_1): @user_script:1: -OOM command not allowed",
       StatusCode::kUnavailable, false, true},
      {"WRONGPASS invalid username-password pair", StatusCode::kInvalid, false, false},
      {"NOPERM this user has no permissions", StatusCode::kInvalid, false, false},
      {"WRONGTYPE Operation against a key", StatusCode::kInvalid, false, false},
      {"ERR unknown command", StatusCode::kInvalid, false, false},
  };
  for (const auto& [text, want, passes, full] : cases) {
    const RedisReply reply{RedisReply::Type::kError, 0, text, {}};
    EXPECT_EQ(reply.status().code(), want) << text;
    EXPECT_EQ(PassesByItself(text), passes) << text;
    EXPECT_EQ(IsRedisFull(reply.status()), full) << text;
  }
}

TEST(RedisReplyTest, SaysWhichTypeCameInsteadOfTheExpected) {
  const RedisReply text{RedisReply::Type::kString, 0, "1", {}};
  EXPECT_EQ(text.AsInteger().status().message(), "Redis answers a string, not an integer");
  EXPECT_EQ(RedisReply{}.AsText().status().message(), "Redis answers nothing, not a string");
  EXPECT_EQ(*text.AsText(), "1");
}

TEST(RedisSafetyTest, NamesWhatLosesAcknowledgedWrites) {
  const struct {
    RedisPersistence settings;
    size_t losses;
    size_t warnings;
  } cases[] = {
      {{"yes", "always", "noeviction"}, 0, 0},  {{"yes", "everysec", "noeviction"}, 0, 1},
      {{"no", "everysec", "noeviction"}, 1, 0}, {{"no", "always", "allkeys-lru"}, 2, 0},
      {{"yes", "no", "volatile-ttl"}, 1, 1},    {{"", "", ""}, 0, 2},
  };
  for (const auto& [settings, losses, warnings] : cases) {
    const RedisSafety safety = JudgeRedisSafety(settings);
    EXPECT_EQ(safety.losses.size(), losses) << settings.append_only << settings.eviction_policy;
    EXPECT_EQ(safety.warnings.size(), warnings) << settings.append_fsync;
  }
}

TEST(RedisClientTest, RefusesSettingsThatCannotWork) {
  SystemClock clock;
  RedisSettings settings;
  EXPECT_EQ(RedisClient::Create(settings, &clock).status().code(), StatusCode::kInvalid);
  settings.addresses = {"redis"};
  EXPECT_EQ(RedisClient::Create(settings, &clock).status().code(), StatusCode::kInvalid);
  settings.addresses = {"redis:6379"};
  settings.mode = RedisMode::kSentinel;
  EXPECT_EQ(RedisClient::Create(settings, &clock).status().code(), StatusCode::kInvalid);
  settings.master_name = "main";
  EXPECT_TRUE(RedisClient::Create(settings, &clock).ok());
}

}  // namespace
}  // namespace millrace::worker
