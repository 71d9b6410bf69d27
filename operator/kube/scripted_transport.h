#pragma once

#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "operator/kube/client.h"

// A server for tests that answers from a script, call by call.
namespace millrace::controller {

struct ScriptedAnswer {
  int status = 200;
  std::string body;
  std::optional<Duration> retry_after;
  Status fails;  // no answer but this; after `body`, if a stream
};

// Thread-safe. After the last answer it requests a stop and refuses all calls.
class ScriptedTransport final : public Transport {
 public:
  explicit ScriptedTransport(std::vector<ScriptedAnswer> answers)
      : answers_(answers.begin(), answers.end()) {}

  Result<HttpAnswer> Send(const HttpCall& call, std::stop_token) override {
    const ScriptedAnswer answer = Next(call);
    if (!answer.fails.ok()) return answer.fails;
    return HttpAnswer{answer.status, answer.body, answer.retry_after};
  }

  Result<HttpAnswer> Stream(const HttpCall& call,
                            const std::function<bool(std::string_view)>& on_bytes,
                            std::stop_token) override {
    const ScriptedAnswer answer = Next(call);
    const bool good = answer.status == 200;
    if (good && !answer.body.empty() && !on_bytes(answer.body)) return AbortedError("not read on");
    if (!answer.fails.ok()) return answer.fails;
    return HttpAnswer{answer.status, good ? "" : answer.body, answer.retry_after};
  }

  std::vector<HttpCall> calls() const {
    std::lock_guard lock(mutex_);
    return calls_;
  }
  std::stop_source& stop() { return stop_; }

 private:
  ScriptedAnswer Next(const HttpCall& call) {
    std::lock_guard lock(mutex_);
    if (answers_.empty()) {
      stop_.request_stop();
      return {.status = 0, .body = {}, .retry_after = {}, .fails = AbortedError("end of script")};
    }
    calls_.push_back(call);
    ScriptedAnswer answer = answers_.front();
    answers_.pop_front();
    return answer;
  }

  mutable std::mutex mutex_;
  std::deque<ScriptedAnswer> answers_;
  std::vector<HttpCall> calls_;
  std::stop_source stop_;
};

// A client on a script; `transport` lives as long as the client.
struct ScriptedClient {
  explicit ScriptedClient(std::vector<ScriptedAnswer> answers, ClientOptions options = {}) {
    auto made = std::make_unique<ScriptedTransport>(std::move(answers));
    transport = made.get();
    client = std::make_unique<Client>(
        std::move(made), std::make_unique<Token>(&clock, "", "secret"), &clock, std::move(options));
  }
  std::vector<HttpCall> calls() const { return transport->calls(); }

  ManualClock clock{TimePoint{}};
  ScriptedTransport* transport;
  std::unique_ptr<Client> client;
};

}  // namespace millrace::controller
