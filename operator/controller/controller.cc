#include "operator/controller/controller.h"

#include <utility>

#include "crds/base/log.h"

namespace millrace::controller {
namespace {
constexpr Duration kSyncCheck = std::chrono::milliseconds(50);
}  // namespace

Controller::Controller(Client* client, Clock* clock, FetchStatus fetch,
                       ControllerListener* listener, ControllerOptions options)
    : clock_(clock),
      listener_(listener),
      options_(std::move(options)),
      queue_(clock),
      events_(client, clock, options_.instance),
      view_(client, clock, options_.view,
            [this](const std::string& job, const std::string& object, const std::string& version) {
              pending_.Seen(job, object, version);
              Enqueue(job);
            }),
      progress_(
          &view_, clock, std::move(fetch), [this](const std::string& job) { Enqueue(job); },
          options_.progress),
      reconciler_(&view_, client, &pending_, &progress_, &events_, clock, options_.reconciler) {}

Controller::~Controller() {
  progress_.Stop();
  view_.Stop();
}

void Controller::Start() { view_.Start(); }

void Controller::Enqueue(const std::string& key) {
  times_.Added(key, clock_->Monotonic());
  listener_->OnAdd();
  queue_.Add(key);
}

void Controller::Lead(std::stop_token stop) {
  while (!view_.synced()) {
    if (!clock_->SleepFor(kSyncCheck, stop)) return;
  }
  for (const std::string& key : view_.JobKeys()) Enqueue(key);
  progress_.Start();
  std::vector<std::jthread> workers;
  for (int i = 0; i < options_.workers; ++i) workers.emplace_back([this, stop] { Work(stop); });
  workers.clear();
  progress_.Stop();
}

void Controller::Work(const std::stop_token& stop) {
  while (const std::optional<std::string> key = queue_.Take(stop)) {
    const MonotonicTime begun = clock_->Monotonic();
    listener_->OnTake(times_.Taken(*key, begun));
    const PassResult result = reconciler_.Pass(*key, stop);
    Finish(*key, result, times_.Done(*key, clock_->Monotonic()));
    queue_.Done(*key);
  }
}

void Controller::Finish(const std::string& key, const PassResult& result, Duration took) {
  if (result.status.code() == StatusCode::kAborted) {  // stopped, or without the lease for a moment
    queue_.Retry(key);
    return;
  }
  if (!result.status.ok()) {
    listener_->OnPass(PassOutcome::kError, took);
    listener_->OnRetry();
    const Duration wait = queue_.Retry(key);
    Log(LogLevel::kWarn, "pass failed",
        {{"job", key},
         {"error", result.status.ToString()},
         {"again",
          std::to_string(std::chrono::ceil<std::chrono::milliseconds>(wait).count()) + "ms"}});
    return;
  }
  queue_.Forget(key);
  const bool again = result.again > Duration(0);
  if (again) queue_.AddAfter(key, result.again);
  listener_->OnPass(again ? PassOutcome::kRequeueAfter : PassOutcome::kSuccess, took);
}

ControllerState Controller::state() const {
  const MonotonicTime now = clock_->Monotonic();
  const QueueTimes::Unfinished unfinished = times_.unfinished(now);
  return {.synced = view_.synced(),
          .alive = view_.alive(now) && unfinished.longest < kLongestPass,
          .waiting = queue_.ready(),
          .unfinished = unfinished};
}

}  // namespace millrace::controller
