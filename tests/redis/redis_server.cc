#include "tests/redis/redis_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "crds/base/clock.h"
#include "crds/base/status.h"
#include "worker/client/redis/redis.h"

namespace millrace::worker {
namespace {

constexpr int kLaunches = 5;  // another process may take a free port first
constexpr Duration kStartLimit = std::chrono::seconds(20);
constexpr Duration kProbePause = std::chrono::milliseconds(10);
constexpr const char* kProgram = "redis-server";

bool OnPath(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::string folders = path == nullptr ? "" : path;
  for (size_t begin = 0; begin <= folders.size();) {
    const size_t end = std::min(folders.find(':', begin), folders.size());
    if (::access((folders.substr(begin, end - begin) + "/" + program).c_str(), X_OK) == 0) {
      return true;
    }
    begin = end + 1;
  }
  return false;
}

}  // namespace

ScratchFolder::ScratchFolder() {
  std::string path = (std::filesystem::temp_directory_path() / "millrace-redis-XXXXXX").string();
  CHECK(::mkdtemp(path.data()) != nullptr);
  path_ = path;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void ScratchFolder::Write(const std::string& name, const std::string& text) const {
  const std::filesystem::path path = std::filesystem::path(path_) / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path) << text;
  CHECK(::chmod(path.c_str(), 0600) == 0);
}

// The port and the one of the cluster bus, 10000 higher, must exist.
int RedisServer::FreePort() {
  while (true) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    CHECK(::bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0);
    CHECK(::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    ::close(fd);
    if (const int port = ntohs(address.sin_port); port < 55535) return port;
  }
}

bool RedisServer::Installed() { return OnPath(kProgram); }

RedisServer::RedisServer(Options options, bool sentinel)
    : options_(std::move(options)), sentinel_(sentinel) {
  for (int i = 0; i < kLaunches; ++i) {
    port_ = FreePort();
    if (Launch()) return;
  }
  CHECK(!"redis-server does not start");
}

RedisServer::~RedisServer() { Kill(); }

void RedisServer::Start() { CHECK(Launch()); }

bool RedisServer::Launch() {
  std::string config = "port " + std::to_string(port_) + "\nbind 127.0.0.1\ndir " + folder() + "\n";
  for (const auto& [name, value] : options_) config += name + " " + value + "\n";
  folder_.Write("redis.conf", config);
  const std::string file = folder() + "/redis.conf";
  pid_ = ::fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int log = ::open((folder() + "/log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    ::dup2(log, STDOUT_FILENO);
    ::dup2(log, STDERR_FILENO);
    ::execlp(kProgram, kProgram, file.c_str(), sentinel_ ? "--sentinel" : nullptr, nullptr);
    ::_exit(127);
  }
  SystemClock clock;
  const MonotonicTime end = clock.Monotonic() + kStartLimit;
  RedisSettings settings;
  settings.addresses = {address()};
  settings.mode = RedisMode::kCluster;  // signs in only; asks for no role
  while (clock.Monotonic() < end && ::waitpid(pid_, nullptr, WNOHANG) == 0) {
    auto client = RedisClient::Create(settings, &clock);
    // A login that is wanted, or a Cluster that is not there: it answers.
    const Status status = (*client)->Connect({});
    const bool silent = status.code() == StatusCode::kUnavailable &&
                        status.message().find("connect to") != std::string::npos;
    if (!silent) return true;
    clock.SleepFor(kProbePause, {});
  }
  pid_ = -1;
  return false;
}

void RedisServer::Kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace millrace::worker
