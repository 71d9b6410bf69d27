#include "operator/controller/cluster_view.h"

#include <algorithm>

namespace millrace::controller {
namespace {

// Their spec or status is looked at.
bool IsReadWhole(Kind kind) { return kind == Kind::kDeployment || kind == Kind::kCleanupJob; }

}  // namespace

std::vector<Kind> AllKinds() {
  return {Kind::kServiceAccount, Kind::kConfigMap,     Kind::kRevision,
          Kind::kService,        Kind::kNetworkPolicy, Kind::kDisruptionBudget,
          Kind::kDeployment,     Kind::kPodMonitor,    Kind::kCleanupJob};
}

ClusterView::ClusterView(Client* client, Clock* clock, ClusterViewOptions options,
                         OnChange on_change)
    : client_(client),
      clock_(clock),
      options_(std::move(options)),
      on_change_(std::move(on_change)),
      jobs_(ReadJobRecord,
            [this](const RawObject& object, const JobRecord&) {
              const std::string key = KeyOf(object);
              on_change_(key, std::string(kJobKind) + "/" + key,
                         jobs_.Find(key) ? object.resource_version : "");
            }),
      pods_(ReadPodRecord, [this](const RawObject& object, const PodRecord& pod) {
        on_change_(object.ns + "/" + pod.job, "Pod/" + KeyOf(object), object.resource_version);
      }) {
  for (const Kind kind : AllKinds()) {
    const size_t index = children_.size();
    children_.push_back(std::make_unique<Store<ChildRecord>>(
        ReadChildRecord, [this, kind, index](const RawObject& object, const ChildRecord& child) {
          const std::string key = KeyOf(object);
          on_change_(object.ns + "/" + child.job, std::string(InfoOf(kind).kind) + "/" + key,
                     children_[index]->Find(key) ? object.resource_version : "");
        }));
  }
  const std::vector<std::string> everywhere = {""};
  for (const std::string& ns : options_.namespaces.empty() ? everywhere : options_.namespaces) {
    Mirror(JobResource(), {.ns = ns}, &jobs_, false);
    for (const Kind kind : AllKinds())
      Mirror(ResourceOf(kind),
             {.ns = ns, .label_selector = ChildSelector(), .metadata_only = !IsReadWhole(kind)},
             children_[static_cast<size_t>(kind)].get(), kind == Kind::kPodMonitor);
    Mirror({"v1", "pods"}, {.ns = ns, .label_selector = ChildSelector()}, &pods_, false);
  }
}

ClusterView::~ClusterView() { Stop(); }

void ClusterView::Mirror(const Resource& resource, Selection selection, ResourceSink* sink,
                         bool optional) {
  ReflectorOptions options = options_.reflector;
  options.optional = optional;
  options.seed += reflectors_.size();
  reflectors_.push_back(
      std::make_unique<Reflector>(client_, clock_, resource, std::move(selection), sink, options));
}

void ClusterView::Start() {
  for (const auto& reflector : reflectors_)
    threads_.emplace_back([&reflector](std::stop_token stop) { reflector->Run(std::move(stop)); });
}

void ClusterView::Stop() {
  for (std::jthread& thread : threads_) thread.request_stop();
  threads_.clear();
}

bool ClusterView::synced() const {
  return std::all_of(reflectors_.begin(), reflectors_.end(),
                     [](const auto& reflector) { return reflector->synced(); });
}

bool ClusterView::alive(MonotonicTime now) const {
  return std::all_of(reflectors_.begin(), reflectors_.end(), [&](const auto& reflector) {
    return now - reflector->last_sign_of_life() <= reflector->longest_silence();
  });
}

Store<ChildRecord>::Pointer ClusterView::Child(Kind kind, const std::string& ns,
                                               const std::string& name) const {
  return children_[static_cast<size_t>(kind)]->Find(ns + "/" + name);
}

std::vector<std::pair<std::string, Store<ChildRecord>::Pointer>> ClusterView::Children(
    Kind kind, const std::string& ns, const std::string& job) const {
  return children_[static_cast<size_t>(kind)]->Select(
      ns, [&](const ChildRecord& child) { return child.job == job; });
}

std::vector<Store<PodRecord>::Pointer> ClusterView::Pods(const std::string& ns,
                                                         const std::string& job) const {
  std::vector<Store<PodRecord>::Pointer> pods;
  for (auto& [name, pod] : pods_.Select(ns, [&](const PodRecord& p) { return p.job == job; }))
    pods.push_back(std::move(pod));
  return pods;
}

}  // namespace millrace::controller
