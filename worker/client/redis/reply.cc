#include <algorithm>
#include <array>
#include <utility>

#include "crds/base/text.h"
#include "worker/client/redis/error.h"

namespace millrace::worker {
namespace {

constexpr std::string_view kFull = "RedisFull: ";
constexpr std::array<std::string_view, 7> kPassing = {
    "LOADING", "BUSY", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "UNBLOCKED"};
// Refusals that an operator has to end; nothing was executed.
constexpr std::array<std::string_view, 2> kBlocked = {"NOREPLICAS", "MISCONF"};
constexpr std::array<std::string_view, 3> kDenied = {"NOAUTH", "WRONGPASS", "NOPERM"};
// Servers before 7 report an error inside a script as "ERR Error running script (...): -CODE ...".
constexpr std::string_view kScriptError = "ERR Error running script";
constexpr std::string_view kTooManyClients = "ERR max number of clients reached";

template <size_t kSize>
bool IsOneOf(std::string_view word, const std::array<std::string_view, kSize>& words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

const char* TypeName(RedisReply::Type type) {
  switch (type) {
    case RedisReply::Type::kNil:
      return "nothing";
    case RedisReply::Type::kInteger:
      return "an integer";
    case RedisReply::Type::kString:
      return "a string";
    case RedisReply::Type::kError:
      return "an error";
    case RedisReply::Type::kArray:
      return "an array";
  }
  return "something unknown";
}

Status Unexpected(const RedisReply& reply, const char* expected) {
  if (reply.is_error()) return reply.status();
  return InternalError(std::string("Redis answers ") + TypeName(reply.type) + ", not " + expected);
}

}  // namespace

std::string_view RedisErrorCode(std::string_view text) {
  if (text.starts_with(kScriptError)) {
    const size_t inner = text.find(": -");
    if (inner != std::string_view::npos) text = text.substr(inner + 3);
  }
  return text.substr(0, text.find(' '));
}

bool PassesByItself(std::string_view text) {
  return IsOneOf(RedisErrorCode(text), kPassing) || text.starts_with(kTooManyClients);
}

bool IsLoginRefusal(std::string_view text) {
  const std::string_view code = RedisErrorCode(text);
  return code == "NOAUTH" || code == "WRONGPASS" || text.starts_with("ERR invalid password");
}

Status RedisReply::status() const {
  if (!is_error()) return OkStatus();
  const std::string message = "Redis: " + Excerpt(text, 300);
  const std::string_view code = RedisErrorCode(text);
  if (code == "OOM") return UnavailableError(std::string(kFull) + message);
  if (PassesByItself(text) || IsOneOf(code, kBlocked) || code == "MOVED" || code == "ASK") {
    return UnavailableError(message);
  }
  if (IsOneOf(code, kDenied)) return InvalidError(message + "; check auth.secretName and the ACL");
  return InvalidError(message);
}

bool IsRedisFull(const Status& status) {
  return status.code() == StatusCode::kUnavailable &&
         status.message().find(kFull) != std::string::npos;
}

Result<int64_t> RedisReply::AsInteger() const {
  if (type != Type::kInteger) return Unexpected(*this, "an integer");
  return integer;
}

Result<std::string> RedisReply::AsText() const {
  if (type != Type::kString) return Unexpected(*this, "a string");
  return text;
}

Result<std::vector<RedisReply>> RedisReply::AsArray() const {
  if (type != Type::kArray) return Unexpected(*this, "an array");
  return items;
}

}  // namespace millrace::worker
