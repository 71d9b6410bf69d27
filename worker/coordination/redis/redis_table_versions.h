#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "worker/client/redis/redis.h"
#include "worker/coordination/coordinator.h"

namespace millrace::worker {

// Versions of look-up tables in Redis: J:table:<name>, a hash of version -> bytes, and
// J:table:<name>:order, their order. The newest kKept stay: no plan can name older ones, as plans
// go two beyond the commit. Thread-compatible; errors of the client.
class RedisTableVersions final : public TableVersions {
 public:
  static constexpr int kKept = 8;

  // `base`: J, as RedisJobStore has it.
  RedisTableVersions(std::unique_ptr<RedisClient> client, std::string base, std::stop_token stop)
      : client_(std::move(client)), base_(std::move(base)), stop_(std::move(stop)) {}

  Status PutTable(const std::string& table, const std::string& version,
                  std::string_view bytes) override;
  Result<std::string> GetTable(const std::string& table, const std::string& version) const override;

 private:
  std::unique_ptr<RedisClient> client_;
  std::string base_;
  std::stop_token stop_;
};

}  // namespace millrace::worker
