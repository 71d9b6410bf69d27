#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "crds/base/file.h"
#include "worker/client/kafka/messages.h"
#include "worker/client/kafka/wire.h"

namespace millrace::worker {

// A broker on a free loopback port that answers each request with what `handler` returns for it:
// the body of a response, or nothing to close the connection. For tests. The handler runs on one
// thread at a time. Stops with the object.
class FakeBroker {
 public:
  using Handler = std::function<std::optional<std::string>(int api_key, std::string_view body)>;

  explicit FakeBroker(Handler handler) : handler_(std::move(handler)) {
    listener_ = UniqueFd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    CHECK(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    CHECK(::listen(listener_.get(), 16) == 0);
    CHECK(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::jthread([this] { Accept(); });
  }
  ~FakeBroker() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    acceptor_.join();
    for (const UniqueFd& connection : connections_) ::shutdown(connection.get(), SHUT_RDWR);
    servers_.clear();
  }

  int port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  void Accept() {
    while (true) {
      UniqueFd connection(::accept(listener_.get(), nullptr, nullptr));
      if (!connection.valid()) return;
      const int fd = connection.get();
      connections_.push_back(std::move(connection));
      servers_.emplace_back([this, fd] {
        while (ServeOne(fd)) {
        }
        ::shutdown(fd, SHUT_RDWR);
      });
    }
  }

  bool ServeOne(int fd) {
    char size[4];
    if (::recv(fd, size, sizeof size, MSG_WAITALL) != sizeof size) return false;
    std::string request(static_cast<size_t>(LoadBigEndian<int32_t>(size)), '\0');
    if (::recv(fd, request.data(), request.size(), MSG_WAITALL) !=
        static_cast<ssize_t>(request.size()))
      return false;
    KafkaReader reader(request);
    const int key = reader.I16();
    reader.I16();  // version
    const int32_t correlation = reader.I32();
    reader.String();  // client id
    const bool flexible = key != kApiSaslHandshake.key;
    if (flexible) reader.SkipTags();
    std::optional<std::string> body;
    {
      std::lock_guard lock(mutex_);
      body = handler_(key, std::string_view(reader.position(), reader.remaining()));
    }
    if (!body) return false;
    std::string response;
    KafkaWriter writer(&response);
    const bool tags = flexible && key != kApiVersions.key;
    writer.I32(static_cast<int32_t>(body->size() + (tags ? 5 : 4)));
    writer.I32(correlation);
    if (tags) writer.NoTags();
    writer.Raw(*body);
    return ::send(fd, response.data(), response.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(response.size());
  }

  Handler handler_;
  std::mutex mutex_;
  UniqueFd listener_;
  int port_ = 0;
  std::vector<UniqueFd> connections_;  // written by the acceptor only
  std::vector<std::jthread> servers_;  // likewise
  std::jthread acceptor_;
};

// Bodies of responses.

inline std::string ApiVersionsAnswer(int16_t newest_fetch = 17) {
  std::string body;
  KafkaWriter writer(&body);
  writer.I16(0);
  writer.CompactCount(3);
  for (const auto& [key, newest] :
       {std::pair<int16_t, int16_t>{1, newest_fetch}, {2, 10}, {3, 13}}) {
    writer.I16(key);
    writer.I16(0);
    writer.I16(newest);
    writer.NoTags();
  }
  writer.I32(0);
  writer.NoTags();
  return body;
}

// One topic "lines" of one partition; brokers are numbered from 0 by their ports.
inline std::string MetadataAnswer(const std::vector<int>& ports, int leader, char topic_id = 'A',
                                  int16_t error = 0) {
  std::string body;
  KafkaWriter writer(&body);
  writer.I32(0);
  writer.CompactCount(ports.size());
  for (size_t id = 0; id < ports.size(); ++id) {
    writer.I32(static_cast<int32_t>(id));
    writer.CompactString("127.0.0.1");
    writer.I32(ports[id]);
    writer.NullCompact();
    writer.NoTags();
  }
  writer.CompactString("cluster");
  writer.I32(0);
  writer.CompactCount(1);
  writer.I16(error);
  writer.CompactString("lines");
  writer.Raw(std::string(16, topic_id));
  writer.Bool(false);
  writer.CompactCount(error == 0 ? 1 : 0);
  if (error == 0) {
    writer.I16(0);
    writer.I32(0);
    writer.I32(leader);
    writer.I32(5);
    for (int list = 0; list < 3; ++list) writer.CompactCount(0);
    writer.NoTags();
  }
  writer.I32(0);
  writer.NoTags();
  writer.NoTags();
  return body;
}

inline std::string FakeFetch(const std::string& records, int16_t error = 0) {
  std::string body;
  KafkaWriter writer(&body);
  writer.I32(0);
  writer.I16(0);
  writer.I32(0);
  writer.CompactCount(1);
  writer.Raw(std::string(16, 'A'));
  writer.CompactCount(1);
  writer.I32(0);
  writer.I16(error);
  for (int offset = 0; offset < 3; ++offset) writer.I64(100);
  writer.NullCompact();
  writer.I32(-1);
  writer.CompactBytes(records);
  writer.NoTags();
  writer.NoTags();
  writer.NoTags();
  return body;
}

// Of partition 0 of "lines".
inline std::string FakeOffsets(int64_t offset) {
  std::string body;
  KafkaWriter writer(&body);
  writer.I32(0);
  writer.CompactCount(1);
  writer.CompactString("lines");
  writer.CompactCount(1);
  writer.I32(0);
  writer.I16(0);
  writer.I64(-1);
  writer.I64(offset);
  writer.I32(5);
  for (int level = 0; level < 3; ++level) writer.NoTags();
  return body;
}

// The offset that a Fetch asks for.
inline int64_t FetchOffset(std::string_view body) {
  KafkaReader reader(body);
  reader.Raw(4 * 4 + 1 + 4 + 4 + 1 + 16 + 1 + 4 + 4);
  return reader.I64();
}

}  // namespace millrace::worker
