#include "operator/kube/reflector.h"

#include <algorithm>

#include "crds/base/log.h"

namespace millrace::controller {
namespace {

constexpr int kMaxListRestarts = 3;
// In a row, before a watch is given up for a list: a busy server is asked for no list, but a
// version it cannot serve must not be asked for for ever.
constexpr int64_t kFailuresBeforeList = 3;
constexpr int64_t kUnavailableBeforeList = 10;
// Beside the waits that have their own limits: one call, retries included.
constexpr Duration kCallTime = std::chrono::minutes(3);

}  // namespace

Reflector::Reflector(Client* client, Clock* clock, Resource resource, Selection selection,
                     ResourceSink* sink, ReflectorOptions options)
    : client_(client),
      clock_(clock),
      resource_(std::move(resource)),
      selection_(std::move(selection)),
      sink_(sink),
      options_(options),
      random_(options.seed) {
  Beat();
}

Duration Reflector::longest_silence() const {
  return std::max(options_.backoff.cap, options_.absent_wait) + kCallTime;
}

void Reflector::Run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    Beat();
    if (version_.empty()) {
      const Status listed = List(stop);
      if (!listed.ok() && !stop.stop_requested()) {
        Log(LogLevel::kWarn, "list failed",
            {{"resource", resource_.plural}, {"error", listed.ToString()}});
        Wait(stop);
      }
      continue;
    }
    const MonotonicTime begun = clock_->Monotonic();
    const Status ended = Watch(stop);
    if (!stop.stop_requested()) AfterWatch(ended, clock_->Monotonic() - begun, stop);
  }
}

Status Reflector::List(const std::stop_token& stop) {
  std::vector<RawObject> objects;
  std::string token;
  for (int restarts = 0;;) {
    Result<ListPage> page = client_->List(resource_, selection_, options_.page_size, token, stop);
    if (!page.ok() && page.status().code() == StatusCode::kGone && restarts < kMaxListRestarts) {
      ++restarts;
      objects.clear();
      token.clear();
      continue;
    }
    if (!page.ok() && page.status().code() == StatusCode::kNotFound && options_.optional) {
      sink_->Replace({});
      synced_ = true;
      clock_->SleepFor(options_.absent_wait, stop);
      return OkStatus();
    }
    if (!page.ok()) return page.status();
    Beat();
    std::move(page->items.begin(), page->items.end(), std::back_inserter(objects));
    token = page->continue_token;
    if (!token.empty()) continue;
    if (page->resource_version.empty()) return InternalError("a list has no resource version");
    version_ = page->resource_version;
    sink_->Replace(std::move(objects));
    synced_ = true;
    ++lists_;
    return OkStatus();
  }
}

Status Reflector::Watch(const std::stop_token& stop) {
  std::uniform_int_distribution<int64_t> between(options_.min_server_timeout.count(),
                                                 options_.max_server_timeout.count());
  return client_->Watch(
      resource_, selection_, version_, Duration(between(random_)),
      [this](const WatchEvent& event) { return OnEvent(event); }, stop);
}

Status Reflector::OnEvent(const WatchEvent& event) {
  Beat();
  if (event.type == WatchEventType::kError) return event.error;
  if (event.object.resource_version.empty())
    return InternalError("an event of a watch has no resource version");
  failures_ = 0;
  version_ = event.object.resource_version;
  switch (event.type) {
    case WatchEventType::kAdded:
    case WatchEventType::kModified:
      sink_->Upsert(event.object);
      break;
    case WatchEventType::kDeleted:
      sink_->Remove(event.object);
      break;
    case WatchEventType::kBookmark:
    case WatchEventType::kError:
      break;
  }
  return OkStatus();
}

void Reflector::AfterWatch(const Status& status, Duration lasted, const std::stop_token& stop) {
  if (lasted >= options_.healthy_after) failures_ = 0;
  if (status.ok() && lasted >= std::chrono::seconds(1)) return;
  if (!status.ok())
    Log(LogLevel::kInfo, "watch ended",
        {{"resource", resource_.plural}, {"error", status.ToString()}});
  const bool gone = status.code() == StatusCode::kGone || status.code() == StatusCode::kNotFound;
  const bool busy = status.code() == StatusCode::kUnavailable;
  if (gone || failures_ + 1 >= (busy ? kUnavailableBeforeList : kFailuresBeforeList))
    version_.clear();
  if (gone && failures_ == 0) {
    ++failures_;
    return;
  }
  Wait(stop);
}

void Reflector::Wait(const std::stop_token& stop) {
  ++failures_;
  clock_->SleepFor(BackoffDelay(options_.backoff, failures_, random_()), stop);
}

}  // namespace millrace::controller
