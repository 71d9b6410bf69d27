#pragma once

#include <list>
#include <map>
#include <mutex>
#include <stop_token>
#include <string>

#include "operator/kube/client.h"
#include "operator/reconcile/plan.h"

namespace millrace::controller {

// Whom an event is about.
struct EventSubject {
  std::string ns;
  std::string name;
  std::string uid;
  std::string resource_version;
};

// Writes Kubernetes events about jobs. The same event of one job within kSameFor only counts on in
// the event that is there; a job gets kBurst different ones, then one each kInterval. Remembers at
// most kMaxSubjects. Events are news: a failure to write one is logged and forgotten. Thread-safe.
class EventRecorder {
 public:
  static constexpr Duration kSameFor = std::chrono::minutes(10);
  static constexpr int kBurst = 25;
  static constexpr Duration kInterval = std::chrono::minutes(5);
  static constexpr size_t kMaxSubjects = 4096;

  EventRecorder(Client* client, const Clock* clock, std::string instance)
      : client_(client), clock_(clock), instance_(std::move(instance)) {}

  // Blocks on the API server.
  void Record(const EventSubject& subject, const Event& event, std::stop_token stop);

 private:
  struct Written {
    std::string name;
    TimePoint first;
    TimePoint last;
    int64_t count = 1;
  };
  struct Subject {
    double tokens = kBurst;
    TimePoint filled;
    std::map<std::string, Written> events;  // by type, reason and message
    std::list<std::string>::iterator age;
  };
  // What to write now; none: nothing. `again`: the event is there.
  std::optional<Written> Next(const EventSubject& subject, const std::string& text, bool* again);
  Subject* Touch(const std::string& uid, TimePoint now);
  std::string Body(const EventSubject& subject, const Event& event, const Written& written) const;

  Client* client_;
  const Clock* clock_;
  const std::string instance_;
  std::mutex mutex_;
  std::map<std::string, Subject> subjects_;  // guarded by mutex_, by uid
  std::list<std::string> ages_;              // guarded by mutex_, uids, the oldest first
};

}  // namespace millrace::controller
