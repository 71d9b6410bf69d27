#include "worker/client/redis/resp.h"

#include <hiredis/hiredis.h>

#include <utility>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

using Budget = ReplyReader::Budget;

// Where the parser's functions put a new value: a place in the parent's items, or a root of its
// own. The parser hands out plain pointers; only the root is ever freed.
RedisReply* Place(const redisReadTask* task, size_t bytes) {
  auto* budget = static_cast<Budget*>(task->privdata);
  if (!budget->Take(bytes)) return nullptr;
  if (task->parent == nullptr) return new RedisReply;
  auto* parent = static_cast<RedisReply*>(task->parent->obj);
  return &parent->items[static_cast<size_t>(task->idx)];
}

void* CreateString(const redisReadTask* task, char* bytes, size_t size) {
  RedisReply* reply = Place(task, size);
  if (reply == nullptr) return nullptr;
  reply->type =
      task->type == REDIS_REPLY_ERROR ? RedisReply::Type::kError : RedisReply::Type::kString;
  reply->text.assign(bytes, size);
  return reply;
}

#if HIREDIS_MAJOR >= 1
using Count = size_t;
// Only RESP 3 has these, and nobody asked for it.
void* RefuseDouble(const redisReadTask*, double, char*, size_t) { return nullptr; }
void* RefuseBool(const redisReadTask*, int) { return nullptr; }
#else
using Count = int;
#endif

void* CreateArray(const redisReadTask* task, Count count) {
  if (task->type != REDIS_REPLY_ARRAY) return nullptr;
  const auto size = static_cast<size_t>(count);
  RedisReply* reply = Place(task, size * sizeof(RedisReply));
  if (reply == nullptr) return nullptr;
  reply->type = RedisReply::Type::kArray;
  reply->items.resize(size);
  return reply;
}

void* CreateInteger(const redisReadTask* task, long long value) {
  RedisReply* reply = Place(task, 0);
  if (reply == nullptr) return nullptr;
  reply->type = RedisReply::Type::kInteger;
  reply->integer = value;
  return reply;
}

void* CreateNil(const redisReadTask* task) { return Place(task, 0); }

void FreeObject(void* object) { delete static_cast<RedisReply*>(object); }

redisReplyObjectFunctions* Functions() {
  static redisReplyObjectFunctions functions = [] {
    redisReplyObjectFunctions result{};
    result.createString = CreateString;
    result.createArray = CreateArray;
    result.createInteger = CreateInteger;
    result.createNil = CreateNil;
#if HIREDIS_MAJOR >= 1
    result.createDouble = RefuseDouble;
    result.createBool = RefuseBool;
#endif
    result.freeObject = FreeObject;
    return result;
  }();
  return &functions;
}

}  // namespace

void AppendRequest(std::span<const std::string_view> args, std::string* out) {
  *out += "*" + std::to_string(args.size()) + "\r\n";
  for (const std::string_view arg : args) {
    *out += "$" + std::to_string(arg.size()) + "\r\n";
    *out += arg;
    *out += "\r\n";
  }
}

bool ReplyReader::Budget::Take(size_t bytes) {
  if (bytes > limit - used) exceeded = true;
  if (exceeded) return false;
  used += bytes;
  return true;
}

void ReplyReader::Free::operator()(redisReader* reader) const { redisReaderFree(reader); }

ReplyReader::ReplyReader(size_t max_reply_bytes)
    : budget_{max_reply_bytes}, reader_(redisReaderCreateWithFunctions(Functions())) {
  CHECK(reader_ != nullptr);
  reader_->privdata = &budget_;
}

ReplyReader::~ReplyReader() = default;

Status ReplyReader::Broken() const {
  if (budget_.exceeded || waiting_bytes_ > budget_.limit) {
    return InternalError("a reply has more than " + std::to_string(budget_.limit) + " bytes");
  }
  return InternalError("this is no reply of Redis: " +
                       Excerpt(static_cast<const char*>(reader_->errstr)));
}

Status ReplyReader::Feed(std::string_view bytes) {
  waiting_bytes_ += bytes.size();
  if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK) return Broken();
  return OkStatus();
}

Result<bool> ReplyReader::Next(RedisReply* reply) {
  void* object = nullptr;
  if (redisReaderGetReply(reader_.get(), &object) != REDIS_OK) return Broken();
  if (object == nullptr) {
    if (waiting_bytes_ > budget_.limit) return Broken();
    return false;
  }
  const std::unique_ptr<RedisReply> owned(static_cast<RedisReply*>(object));
  *reply = std::move(*owned);
  budget_.used = 0;
  waiting_bytes_ = reader_->len - reader_->pos;
  return true;
}

}  // namespace millrace::worker
