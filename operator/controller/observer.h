#pragma once

#include <stop_token>
#include <string>

#include "operator/controller/cluster_view.h"
#include "operator/controller/worker_progress.h"
#include "operator/resources/build.h"

namespace millrace::controller {

// What one pass works on: the planner's facts, and what writing needs besides.
struct Observed {
  World world;
  JobRecord record;
};

// Turns caches into a World. What a cache does not hold but the job wants is asked for by name, so
// that an object without our labels is seen before it could be overwritten. Thread-safe.
class Observer {
 public:
  Observer(const ClusterView* view, Client* client, BuildOptions build)
      : view_(view), client_(client), build_(std::move(build)) {}

  // Blocks on the API server where it has to ask. kNotFound: there is no such job.
  Result<Observed> Observe(const std::string& key, const ProgressTracker* progress,
                           std::stop_token stop) const;

 private:
  void ReadObjects(const std::string& ns, const std::string& name, World* world) const;
  void ReadPods(const std::string& ns, const std::string& name, World* world) const;
  // Which of the objects others have taken fields of.
  void NoteDrift(const std::string& ns, const std::vector<Object>& wanted, World* world) const;
  Status AskForMissing(const std::string& ns, const std::vector<Object>& wanted, World* world,
                       const std::stop_token& stop) const;
  Status AskForGood(const std::string& ns, World* world, const std::stop_token& stop) const;
  Status AskForNamespace(const std::string& ns, World* world, const std::stop_token& stop) const;

  const ClusterView* view_;
  Client* client_;
  const BuildOptions build_;
};

// The job and its status as the JSON of an object has them. Pure.
World ReadJob(const JobRecord& record);

}  // namespace millrace::controller
