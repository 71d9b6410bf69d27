#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "crds/base/status.h"
#include "worker/client/redis/redis.h"

struct redisReader;

namespace millrace::worker {

// Appends a command in the form of RESP 2: "*<n>\r\n" and, per argument,
// "$<bytes>\r\n<argument>\r\n".
void AppendRequest(std::span<const std::string_view> args, std::string* out);

// Cuts the bytes of a server into replies (RESP 2; hiredis does the parsing). A reply that grows
// beyond its limit, a frame of RESP 3, a nesting of more than seven arrays and everything else that
// is no reply end the reader with kInternal. Thread-compatible.
class ReplyReader {
 public:
  explicit ReplyReader(size_t max_reply_bytes);
  ~ReplyReader();
  ReplyReader(const ReplyReader&) = delete;
  ReplyReader& operator=(const ReplyReader&) = delete;

  Status Feed(std::string_view bytes);
  // True and the next reply, or false when more bytes are needed.
  Result<bool> Next(RedisReply* reply);

  // What one reply has used of its limit; the parser's functions count in it.
  struct Budget {
    size_t limit = 0;
    size_t used = 0;
    bool exceeded = false;
    bool Take(size_t bytes);
  };

 private:
  struct Free {
    void operator()(redisReader* reader) const;
  };
  Status Broken() const;

  Budget budget_;
  size_t waiting_bytes_ = 0;  // fed since the last reply was complete
  std::unique_ptr<redisReader, Free> reader_;
};

}  // namespace millrace::worker
