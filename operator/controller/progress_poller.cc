#include "operator/controller/progress_poller.h"

#include <algorithm>
#include <tuple>

namespace millrace::controller {
namespace {

// The planner would decide or show something else.
bool IsNews(const ProgressTracker& before, const ProgressTracker& after) {
  const auto facts = [](const ProgressTracker& tracker) {
    const std::optional<WorkerReport>& report = tracker.report();
    const std::optional<LoadWindow>& load = tracker.load();
    return std::tuple(tracker.asked(), report.has_value(), report && report->completed,
                      report ? report->halt : "", report ? report->batch_time : std::nullopt,
                      report ? report->revision : "", report && report->committed,
                      load ? load->end : TimePoint{});
  };
  return facts(before) != facts(after);
}

}  // namespace

ProgressPoller::ProgressPoller(const ClusterView* view, const Clock* clock, FetchStatus fetch,
                               OnNews on_news, ProgressPollerOptions options)
    : view_(view),
      clock_(clock),
      fetch_(std::move(fetch)),
      on_news_(std::move(on_news)),
      options_(options),
      rounds_(clock) {}

ProgressPoller::~ProgressPoller() { Stop(); }

void ProgressPoller::Start() {
  for (int i = 0; i < options_.threads; ++i)
    threads_.emplace_back([this](const std::stop_token& stop) { Run(stop); });
}

void ProgressPoller::Stop() {
  for (std::jthread& thread : threads_) thread.request_stop();
  threads_.clear();
}

void ProgressPoller::Follow(const std::string& job, int64_t port) {
  {
    const std::lock_guard lock(mutex_);
    const auto [it, added] = followed_.try_emplace(job);
    it->second.port = port;
    if (!added) return;
  }
  rounds_.Add(job);
}

void ProgressPoller::Forget(const std::string& job) {
  const std::lock_guard lock(mutex_);
  followed_.erase(job);
}

ProgressTracker ProgressPoller::Of(const std::string& job) const {
  const std::lock_guard lock(mutex_);
  const auto it = followed_.find(job);
  return it == followed_.end() ? ProgressTracker() : it->second.tracker;
}

void ProgressPoller::Run(const std::stop_token& stop) {
  while (const std::optional<std::string> job = rounds_.Take(stop)) {
    Ask(*job);
    rounds_.Done(*job);
    const std::lock_guard lock(mutex_);
    if (followed_.count(*job) > 0) rounds_.AddAfter(*job, options_.interval);
  }
}

std::vector<ProgressPoller::Worker> ProgressPoller::Workers(const std::string& job,
                                                            const std::string& first,
                                                            int64_t* unschedulable) const {
  const size_t slash = job.find('/');
  std::vector<Worker> workers;
  for (const auto& pod : view_->Pods(job.substr(0, slash), job.substr(slash + 1))) {
    // One that leaves speaks of its own end, not of the job's.
    if (!pod->is_worker || pod->finished || pod->deleting) continue;
    *unschedulable += pod->unschedulable ? 1 : 0;
    if (!pod->ip.empty()) workers.push_back({pod->ip, pod->revision});
  }
  std::stable_partition(workers.begin(), workers.end(),
                        [&](const Worker& worker) { return worker.address == first; });
  if (workers.size() > options_.max_asked) workers.resize(options_.max_asked);
  return workers;
}

void ProgressPoller::Ask(const std::string& job) {
  Followed known;
  {
    const std::lock_guard lock(mutex_);
    const auto it = followed_.find(job);
    if (it == followed_.end()) return;
    known = it->second;
  }
  const ProgressTracker before = known.tracker;
  int64_t unschedulable = 0;
  std::vector<WorkerAnswer> answers;
  for (const auto& [address, revision] : Workers(job, known.leader, &unschedulable)) {
    const Result<std::string> body = fetch_(address, known.port);
    if (!body.ok()) continue;
    Result<WorkerAnswer> answer = ReadWorkerAnswer(*body);
    if (!answer.ok()) continue;
    answer->revision = revision;
    answers.push_back(std::move(*answer));
    if (!answers.back().leading) continue;
    known.leader = address;
    break;
  }
  known.tracker.Take(ForJob(std::move(answers)), unschedulable, clock_->Now());
  {
    const std::lock_guard lock(mutex_);
    const auto it = followed_.find(job);
    if (it == followed_.end()) return;
    it->second.tracker = known.tracker;
    it->second.leader = known.leader;
  }
  if (IsNews(before, known.tracker)) on_news_(job);
}

}  // namespace millrace::controller
