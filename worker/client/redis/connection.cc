#include "worker/client/redis/connection.h"

#include <utility>

#include "worker/client/redis/error.h"
#include "worker/client/secret.h"

namespace millrace::worker {
namespace {

constexpr size_t kReadBytes = 64 << 10;

KafkaSettings SocketSettings(const RedisSettings& settings) {
  KafkaSettings socket;
  socket.connect_timeout = settings.connect_timeout;
  socket.keep_alive = true;
  return socket;
}

Status Denied(const Status& status, bool* denied) {
  if (denied != nullptr) *denied = true;
  return status;
}

// None where the Secret has no key `username` and the job names none: the user `default`.
Result<std::optional<std::string>> UserName(const RedisSettings& settings) {
  if (settings.auth->username) return settings.auth->username;
  const Result<std::string> name =
      ReadSecret(settings.secrets_directory, settings.auth->secret_name, "username");
  if (name.ok()) return std::optional<std::string>(*name);
  if (name.status().code() == StatusCode::kNotFound) return std::optional<std::string>();
  return name.status();
}

}  // namespace

RedisConnection::RedisConnection(std::unique_ptr<Transport> transport,
                                 const RedisSettings& settings, Clock* clock)
    : transport_(std::move(transport)),
      timeout_(settings.command_timeout),
      clock_(clock),
      reader_(settings.max_reply_bytes),
      buffer_(kReadBytes, '\0') {}

Result<std::unique_ptr<RedisConnection>> RedisConnection::Open(const BrokerAddress& address,
                                                               const RedisSettings& settings,
                                                               RedisRole role, Clock* clock,
                                                               const std::stop_token& stop,
                                                               bool* denied) {
  std::optional<TlsFiles> tls;
  if (settings.tls) {
    ASSIGN_OR_RETURN(tls, TlsFromSecret(settings.secrets_directory, settings.tls->secret_name,
                                        settings.tls->server_name));
  }
  ASSIGN_OR_RETURN(
      auto transport,
      Transport::Connect(address, tls ? &*tls : nullptr, SocketSettings(settings), clock,
                         {clock->Monotonic() + settings.connect_timeout, stop}));
  std::unique_ptr<RedisConnection> connection(
      new RedisConnection(std::move(transport), settings, clock));
  Status status;
  if (settings.auth && role != RedisRole::kSentinel) {
    status = connection->SignIn(settings, stop, denied);
  }
  if (status.ok()) status = connection->CheckServer(settings, role, stop, denied);
  if (!status.ok()) return status.WithContext("connect to Redis at " + address.text());
  return connection;
}

Status RedisConnection::SignIn(const RedisSettings& settings, const std::stop_token& stop,
                               bool* denied) {
  const Result<std::optional<std::string>> user = UserName(settings);
  if (!user.ok()) return Denied(user.status(), denied);
  const Result<std::string> password =
      ReadSecret(settings.secrets_directory, settings.auth->secret_name, "password");
  if (!password.ok()) return Denied(password.status(), denied);
  std::vector<std::string_view> args = {"AUTH"};
  if (*user) args.push_back(**user);
  args.push_back(*password);
  ASSIGN_OR_RETURN(const RedisReply reply, Call(args, stop));
  if (!reply.is_error() || PassesByItself(reply.text)) return reply.status();
  return Denied(reply.status(), denied);
}

// Also learns whether the server wants a password that nobody gave.
Status RedisConnection::CheckServer(const RedisSettings& settings, RedisRole role,
                                    const std::stop_token& stop, bool* denied) {
  const std::string_view probe[] = {role == RedisRole::kMaster ? "ROLE" : "PING"};
  ASSIGN_OR_RETURN(RedisReply reply, Call(probe, stop));
  if (reply.is_error() && IsLoginRefusal(reply.text)) {
    if (role != RedisRole::kSentinel || !settings.auth) {
      return Denied(InvalidError("it wants a password; give auth.secretName"), denied);
    }
    RETURN_IF_ERROR(SignIn(settings, stop, denied));
    ASSIGN_OR_RETURN(reply, Call(probe, stop));
  }
  if (role == RedisRole::kMaster) RETURN_IF_ERROR(CheckRole(reply));
  if (reply.is_error() && PassesByItself(reply.text)) return reply.status();
  if (role != RedisRole::kMaster || settings.database == 0) return OkStatus();
  const std::string database = std::to_string(settings.database);
  const std::string_view select[] = {"SELECT", database};
  ASSIGN_OR_RETURN(reply, Call(select, stop));
  return reply.status();
}

// A server that forbids ROLE tells by READONLY later.
Status RedisConnection::CheckRole(const RedisReply& reply) const {
  if (reply.type != RedisReply::Type::kArray || reply.items.empty()) return OkStatus();
  const std::string& role = reply.items.front().text;
  if (role == "master") return OkStatus();
  if (role == "sentinel") {
    return InvalidError(
        "this is a Sentinel; mode: Sentinel and a masterName ask it for the master");
  }
  return UnavailableError("its role is " + role + ", not master; a replica takes no writes");
}

CallLimit RedisConnection::Limit(const std::stop_token& stop) const {
  return {clock_->Monotonic() + timeout_, stop};
}

Status RedisConnection::Send(std::string_view requests, const std::stop_token& stop) {
  while (!requests.empty() && !broken_) {
    const std::string_view piece = requests.substr(0, size_t{1} << 20);
    const Status status = transport_->Write(piece, Limit(stop));
    if (!status.ok()) {
      broken_ = true;
      return status;
    }
    requests.remove_prefix(piece.size());
  }
  return broken_ ? UnavailableError("the connection is broken") : OkStatus();
}

Status RedisConnection::Receive(RedisReply* reply, const std::stop_token& stop) {
  const Status status =
      broken_ ? UnavailableError("the connection is broken") : ReceiveReply(reply, stop);
  if (!status.ok()) broken_ = true;
  return status;
}

Status RedisConnection::ReceiveReply(RedisReply* reply, const std::stop_token& stop) {
  while (true) {
    ASSIGN_OR_RETURN(const bool complete, reader_.Next(reply));
    if (complete) return OkStatus();
    ASSIGN_OR_RETURN(const size_t got,
                     transport_->ReadUpTo(buffer_.data(), buffer_.size(), Limit(stop)));
    RETURN_IF_ERROR(reader_.Feed({buffer_.data(), got}));
  }
}

Result<RedisReply> RedisConnection::Call(std::span<const std::string_view> args,
                                         const std::stop_token& stop) {
  std::string request;
  AppendRequest(args, &request);
  RETURN_IF_ERROR(Send(request, stop));
  RedisReply reply;
  RETURN_IF_ERROR(Receive(&reply, stop));
  return reply;
}

}  // namespace millrace::worker
