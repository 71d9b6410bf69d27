#include "operator/controller/event_recorder.h"

#include <algorithm>

#include "crds/base/log.h"
#include "crds/base/text.h"
#include "operator/resources/json_parts.h"

namespace millrace::controller {
namespace {

constexpr size_t kMaxMessage = 1024;  // the API server's limit
constexpr size_t kMarkLength = 16;
constexpr size_t kMaxKept = 64;  // different events of one job
const Resource kEvents{"v1", "events"};

std::string SecondsText(TimePoint time) {
  return FormatRfc3339(std::chrono::floor<std::chrono::seconds>(time));
}

}  // namespace

EventRecorder::Subject* EventRecorder::Touch(const std::string& uid, TimePoint now) {
  const auto [it, added] = subjects_.try_emplace(uid);
  Subject& subject = it->second;
  if (added) {
    subject.filled = now;
  } else {
    ages_.erase(subject.age);
  }
  subject.age = ages_.insert(ages_.end(), uid);
  if (subjects_.size() > kMaxSubjects) {
    subjects_.erase(ages_.front());
    ages_.pop_front();
  }
  const auto passed = std::chrono::duration<double>(now - subject.filled);
  const double grown = passed / std::chrono::duration<double>(kInterval);
  subject.tokens = std::min<double>(kBurst, subject.tokens + std::max(0.0, grown));
  subject.filled = now;
  return &subject;
}

std::optional<EventRecorder::Written> EventRecorder::Next(const EventSubject& subject,
                                                          const std::string& text, bool* again) {
  const std::lock_guard lock(mutex_);
  const TimePoint now = clock_->Now();
  Subject* known = Touch(subject.uid, now);
  std::erase_if(known->events,
                [&](const auto& entry) { return now - entry.second.last >= kSameFor; });
  const auto old = known->events.find(text);
  *again = old != known->events.end();
  if (known->tokens < 1) return std::nullopt;
  known->tokens -= 1;
  if (*again) {
    ++old->second.count;
    old->second.last = now;
    return old->second;
  }
  if (known->events.size() >= kMaxKept) known->events.erase(known->events.begin());
  const std::string mark = HexEncode(Sha256(subject.uid + text + FormatRfc3339(now)));
  Written written{subject.name + "." + mark.substr(0, kMarkLength), now, now, 1};
  known->events[text] = written;
  return written;
}

std::string EventRecorder::Body(const EventSubject& subject, const Event& event,
                                const Written& written) const {
  JsonWriter out;
  Element(&out, [&] {
    Text(&out, "apiVersion", "v1");
    Text(&out, "kind", "Event");
    Group(&out, "metadata", [&] {
      Text(&out, "name", written.name);
      Text(&out, "namespace", subject.ns);
    });
    Group(&out, "involvedObject", [&] {
      Text(&out, "apiVersion", kApiVersion);
      Text(&out, "kind", kJobKind);
      Text(&out, "namespace", subject.ns);
      Text(&out, "name", subject.name);
      Text(&out, "uid", subject.uid);
      Text(&out, "resourceVersion", subject.resource_version);
    });
    Text(&out, "type", event.warning ? "Warning" : "Normal");
    Text(&out, "reason", event.reason);
    Text(&out, "message", Excerpt(event.message, kMaxMessage - 3));
    Group(&out, "source", [&] { Text(&out, "component", "millrace-operator"); });
    Text(&out, "reportingComponent", "millrace-operator");
    Text(&out, "reportingInstance", instance_);
    Text(&out, "firstTimestamp", SecondsText(written.first));
    Text(&out, "lastTimestamp", SecondsText(written.last));
    Number(&out, "count", written.count);
  });
  return out.Take();
}

void EventRecorder::Record(const EventSubject& subject, const Event& event, std::stop_token stop) {
  bool again = false;
  const std::string text = (event.warning ? "W" : "N") + event.reason + "\n" + event.message;
  const std::optional<Written> written = Next(subject, text, &again);
  if (!written) return;
  Status status;
  if (again) {
    JsonWriter patch;
    Element(&patch, [&] {
      Number(&patch, "count", written->count);
      Text(&patch, "lastTimestamp", SecondsText(written->last));
    });
    status = client_->MergePatch(ObjectPath(kEvents, subject.ns, written->name), patch.Take(), stop)
                 .status();
  } else {
    const std::string body = Body(subject, event, *written);
    status = client_->Create(CollectionPath(kEvents, subject.ns), body, stop).status();
  }
  if (!status.ok())
    Log(LogLevel::kWarn, "event not written",
        {{"job", subject.ns + "/" + subject.name}, {"error", status.ToString()}});
}

}  // namespace millrace::controller
