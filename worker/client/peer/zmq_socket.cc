#include "worker/client/peer/zmq_socket.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <zmq.h>

#include <array>
#include <cerrno>
#include <string_view>

namespace millrace::worker {
namespace {

constexpr int kKeyText = 41;  // 32 bytes in Z85 and the final NUL
// Smaller parts may be views into a receive buffer of that size, which they would keep whole.
constexpr size_t kCopyBelow = 8192;
constexpr int kSocketBytes = 512 << 10;  // kernel's, per direction of a connection

Status ZmqError(const std::string& what) {
  const int error = zmq_errno();
  return {error == EADDRINUSE ? StatusCode::kAlreadyExists : StatusCode::kInvalid,
          what + ": " + zmq_strerror(error)};
}

bool SetInt(void* socket, int option, int value) {
  return zmq_setsockopt(socket, option, &value, sizeof value) == 0;
}

bool SetKeys(void* socket, ZmqSocket::Kind kind, const CurveKeys& keys) {
  const auto set = [&](int option, const std::string& key) {
    return zmq_setsockopt(socket, option, key.c_str(), kKeyText) == 0;
  };
  if (kind == ZmqSocket::Kind::kRouter && !SetInt(socket, ZMQ_CURVE_SERVER, 1)) return false;
  if (kind == ZmqSocket::Kind::kDealer && !set(ZMQ_CURVE_SERVERKEY, keys.public_key)) return false;
  return set(ZMQ_CURVE_PUBLICKEY, keys.public_key) && set(ZMQ_CURVE_SECRETKEY, keys.secret_key);
}

void ReleaseOwner(void*, void* hint) { delete static_cast<std::shared_ptr<const void>*>(hint); }

struct OwnedMessage {
  OwnedMessage() { zmq_msg_init(&message); }
  ~OwnedMessage() { zmq_msg_close(&message); }
  OwnedMessage(const OwnedMessage&) = delete;
  OwnedMessage& operator=(const OwnedMessage&) = delete;
  zmq_msg_t message;
};

}  // namespace

CurveKeys MakeCurveKeys(const std::string& secret) {
  constexpr std::string_view kLabel = "millrace curve 1";
  std::array<unsigned char, EVP_MAX_MD_SIZE> seed;
  unsigned int size = 0;
  const unsigned char* made = HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                                   reinterpret_cast<const unsigned char*>(kLabel.data()),
                                   kLabel.size(), seed.data(), &size);
  CHECK(made != nullptr && size == 32);
  std::array<char, kKeyText> secret_key;
  std::array<char, kKeyText> public_key;
  CHECK(zmq_z85_encode(secret_key.data(), seed.data(), 32) != nullptr);
  CHECK(zmq_curve_public(public_key.data(), secret_key.data()) == 0);
  return {public_key.data(), secret_key.data()};
}

ZmqContext::ZmqContext() : handle_(zmq_ctx_new()) {
  CHECK(handle_ != nullptr);
  zmq_ctx_set(handle_.get(), ZMQ_MAX_SOCKETS, 65535);
}

void ZmqContext::Terminate::operator()(void* context) const { zmq_ctx_term(context); }
void ZmqSocket::Close::operator()(void* socket) const { zmq_close(socket); }

Result<ZmqSocket> ZmqSocket::Open(const ZmqContext& context, Kind kind, const Options& options) {
  ZmqSocket socket(zmq_socket(context.get(), kind == Kind::kRouter ? ZMQ_ROUTER : ZMQ_DEALER));
  if (socket.handle_ == nullptr) return ZmqError("make a socket");
  const auto max_bytes = static_cast<int64_t>(options.max_part_bytes);
  void* handle = socket.get();
  // What waits to be sent is bounded by the traffic above, in bytes.
  const bool set = SetInt(handle, ZMQ_LINGER, 0) && SetInt(handle, ZMQ_SNDBUF, kSocketBytes) &&
                   SetInt(handle, ZMQ_RCVBUF, kSocketBytes) && SetInt(handle, ZMQ_SNDHWM, 0) &&
                   SetInt(handle, ZMQ_RCVHWM, options.max_received_parts) &&
                   SetInt(handle, ZMQ_IPV6, 1) && SetInt(handle, ZMQ_HEARTBEAT_IVL, 2000) &&
                   SetInt(handle, ZMQ_HEARTBEAT_TIMEOUT, 6000) &&
                   zmq_setsockopt(handle, ZMQ_MAXMSGSIZE, &max_bytes, sizeof max_bytes) == 0 &&
                   (kind == Kind::kDealer || SetInt(handle, ZMQ_ROUTER_MANDATORY, 1)) &&
                   (!options.keys || SetKeys(handle, kind, *options.keys));
  if (!set) return ZmqError("set up a socket");
  return socket;
}

Result<int> ZmqSocket::Bind(const std::string& host, int port) {
  const std::string endpoint = "tcp://" + host + ":" + (port == 0 ? "*" : std::to_string(port));
  if (zmq_bind(get(), endpoint.c_str()) != 0) return ZmqError("listen on " + endpoint);
  std::array<char, 256> bound{};
  size_t size = bound.size();
  if (zmq_getsockopt(get(), ZMQ_LAST_ENDPOINT, bound.data(), &size) != 0) {
    return ZmqError("ask for the port of " + endpoint);
  }
  const std::string_view text(bound.data());
  return std::atoi(text.substr(text.rfind(':') + 1).data());
}

Status ZmqSocket::Connect(const std::string& address) {
  if (zmq_connect(get(), ("tcp://" + address).c_str()) == 0) return OkStatus();
  return ZmqError("connect to " + address);
}

bool ZmqSocket::Send(const std::vector<SharedBytes>& parts) {
  for (size_t i = 0; i < parts.size(); ++i) {
    zmq_msg_t message;
    auto hint = std::make_unique<std::shared_ptr<const void>>(parts[i].owner());
    const std::string_view bytes = parts[i].view();
    if (zmq_msg_init_data(&message, const_cast<char*>(bytes.data()), bytes.size(), ReleaseOwner,
                          hint.get()) != 0) {
      return false;
    }
    hint.release();
    const int more = i + 1 < parts.size() ? ZMQ_SNDMORE : 0;
    if (zmq_msg_send(&message, get(), ZMQ_DONTWAIT | more) < 0) {
      zmq_msg_close(&message);
      return false;
    }
  }
  return true;
}

bool ZmqSocket::Receive(std::vector<SharedBytes>* parts) {
  parts->clear();
  while (true) {
    auto owned = std::make_shared<OwnedMessage>();
    zmq_msg_t* message = &owned->message;
    if (zmq_msg_recv(message, get(), ZMQ_DONTWAIT) < 0) return false;
    const bool more = zmq_msg_more(message) != 0;
    const std::string_view bytes(static_cast<const char*>(zmq_msg_data(message)),
                                 zmq_msg_size(message));
    if (bytes.size() < kCopyBelow) {
      parts->emplace_back(std::string(bytes));
    } else {
      parts->emplace_back(std::move(owned), bytes);
    }
    if (!more) return true;
  }
}

std::vector<size_t> PollSockets(const std::vector<void*>& sockets, int wake_fd, Duration timeout) {
  std::vector<zmq_pollitem_t> items;
  items.push_back({nullptr, wake_fd, ZMQ_POLLIN, 0});
  for (void* socket : sockets) items.push_back({socket, 0, ZMQ_POLLIN, 0});
  zmq_poll(items.data(), static_cast<int>(items.size()),
           std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count());
  std::vector<size_t> ready;
  for (size_t i = 0; i < sockets.size(); ++i) {
    if (items[i + 1].revents != 0) ready.push_back(i);
  }
  return ready;
}

}  // namespace millrace::worker
