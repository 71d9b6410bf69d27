#pragma once

#include <string_view>

#include "worker/client/redis/redis.h"

// What the text of an error reply means; RedisReply::status makes a Status of it.
namespace millrace::worker {

// "MOVED" of "MOVED 3999 10.0.0.1:6381". Of an error inside a script, its own code.
std::string_view RedisErrorCode(std::string_view text);
// True for refusals that end without anybody doing something; nothing was executed.
bool PassesByItself(std::string_view text);
// True where the name or the password is wrong or missing.
bool IsLoginRefusal(std::string_view text);

}  // namespace millrace::worker
