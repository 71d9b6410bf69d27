#include "crds/base/failpoint.h"

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>

namespace millrace {
namespace {

// What MILLRACE_FAILPOINT asked for when the process started. Immutable but for the countdown.
struct Request {
  std::string name;
  std::atomic<int64_t> remaining{0};
  std::atomic<bool> armed{false};

  Request() {
    const char* text = std::getenv("MILLRACE_FAILPOINT");
    if (text == nullptr || *text == '\0') return;
    name = text;
    int64_t count = 1;
    if (const size_t colon = name.rfind(':'); colon != std::string::npos) {
      count = std::strtoll(name.c_str() + colon + 1, nullptr, 10);
      name.resize(colon);
    }
    remaining = count < 1 ? 1 : count;
    armed = true;
  }
};

Request& TheRequest() {
  static Request request;
  return request;
}

}  // namespace

void Failpoint(std::string_view name) {
  Request& request = TheRequest();
  if (!request.armed.load(std::memory_order_relaxed) || request.name != name) return;
  if (request.remaining.fetch_sub(1) == 1) std::raise(SIGKILL);
}

}  // namespace millrace
