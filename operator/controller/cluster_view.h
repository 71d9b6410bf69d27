#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "operator/controller/records.h"
#include "operator/kube/store.h"

namespace millrace::controller {

struct ClusterViewOptions {
  std::vector<std::string> namespaces;  // empty: all
  ReflectorOptions reflector;
};

// Mirrors the jobs, their objects and their pods. Of objects other than Deployments and Jobs only
// metadata is asked for, and nothing without the label of a job. One thread for each kind and
// namespace. Thread-safe. Client and clock must outlive it.
class ClusterView {
 public:
  // What changed: the key "namespace/name" of the job it belongs to, the object ("Deployment/ns/x")
  // and its version, empty if it is gone. Called on the threads of the view, after the change; a
  // hint to look, never a fact.
  using OnChange = std::function<void(const std::string& job, const std::string& object,
                                      const std::string& version)>;

  ClusterView(Client* client, Clock* clock, ClusterViewOptions options, OnChange on_change);
  ~ClusterView();
  ClusterView(const ClusterView&) = delete;
  ClusterView& operator=(const ClusterView&) = delete;

  // Begins to fill the caches.
  void Start();
  void Stop();
  bool synced() const;
  // No thread has been silent for longer than it should.
  bool alive(MonotonicTime now) const;

  Store<JobRecord>::Pointer Job(const std::string& key) const { return jobs_.Find(key); }
  std::vector<std::string> JobKeys() const { return jobs_.Keys(); }
  Store<ChildRecord>::Pointer Child(Kind kind, const std::string& ns,
                                    const std::string& name) const;
  // The objects of that kind that carry the job's name.
  std::vector<std::pair<std::string, Store<ChildRecord>::Pointer>> Children(
      Kind kind, const std::string& ns, const std::string& job) const;
  std::vector<Store<PodRecord>::Pointer> Pods(const std::string& ns, const std::string& job) const;

 private:
  void Mirror(const Resource& resource, Selection selection, ResourceSink* sink, bool optional);

  Client* client_;
  Clock* clock_;
  const ClusterViewOptions options_;
  const OnChange on_change_;
  Store<JobRecord> jobs_;
  std::vector<std::unique_ptr<Store<ChildRecord>>> children_;  // by Kind
  Store<PodRecord> pods_;
  std::vector<std::unique_ptr<Reflector>> reflectors_;
  std::vector<std::jthread> threads_;
};

// All kinds a job owns, in the order of the enumeration.
std::vector<Kind> AllKinds();

}  // namespace millrace::controller
