#include "operator/resources/cluster_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crds/api/codec.h"
#include "operator/resources/testing.h"

namespace millrace::controller {
namespace {

using Edit = void (*)(api::StreamingJobSpec&);
struct Attempt {
  const char* name;
  Edit edit;
  const char* path;  // of the refusal
};

void Mount(api::StreamingJobSpec& spec, const char* path) {
  spec.pod.volumes = {{.name = "v", .mount_path = path, .kind = api::EmptyDirVolume{}}};
}
void Annotate(api::StreamingJobSpec& spec, const char* key) { spec.pod.annotations[key] = "x"; }
api::RedisState& Redis(api::StreamingJobSpec& spec) {
  return std::get<api::RedisState>(spec.state->kind);
}

const Attempt kAttempts[] = {
    {"Secret of another namespace",
     [](auto& s) { Redis(s).auth = {{.secret_name = "kube-system/admin", .username = {}}}; },
     "spec (secretName)"},
    {"Secret by path",
     [](auto& s) { Redis(s).auth = {{.secret_name = "../admin", .username = {}}}; },
     "spec (secretName)"},
    {"ConfigMap of another namespace",
     [](auto& s) {
       s.tables = {
           {.name = "t",
            .key = {"k"},
            .kind = api::FileTable{{.path = {}, .config_map_key_ref = {{"other/map", "k"}}}}}};
     },
     "spec (configMapKeyRef)"},
    {"account of another namespace",
     [](auto& s) { s.pod.service_account_name = "kube-system:admin"; },
     "spec.pod.serviceAccountName"},
    {"pull secret of another namespace", [](auto& s) { s.image_pull_secrets = {"other/registry"}; },
     "spec.imagePullSecrets"},
    {"root folder", [](auto& s) { Mount(s, "/"); }, "spec.pod.volumes[0].mountPath"},
    {"root folder spelt otherwise", [](auto& s) { Mount(s, "//./"); },
     "spec.pod.volumes[0].mountPath"},
    {"processes", [](auto& s) { Mount(s, "/proc/1"); }, "spec.pod.volumes[0].mountPath"},
    {"devices", [](auto& s) { Mount(s, "//dev"); }, "spec.pod.volumes[0].mountPath"},
    {"token folder", [](auto& s) { Mount(s, "/var/run/secrets/kubernetes.io/serviceaccount"); },
     "spec.pod.volumes[0].mountPath"},
    {"job file", [](auto& s) { Mount(s, "/etc/millrace"); }, "spec.pod.volumes[0].mountPath"},
    {"users", [](auto& s) { Mount(s, "/etc"); }, "spec.pod.volumes[0].mountPath"},
    {"mount options", [](auto& s) { Mount(s, "/data:rw"); }, "spec.pod.volumes[0].mountPath"},
    {"apparmor unconfined",
     [](auto& s) { Annotate(s, "container.apparmor.security.beta.kubernetes.io/worker"); },
     "spec.pod.annotations"},
    {"seccomp unconfined", [](auto& s) { Annotate(s, "Seccomp.Security.Alpha.Kubernetes.IO/pod"); },
     "spec.pod.annotations"},
    {"labels of another job", [](auto& s) { s.pod.labels["app.kubernetes.io/instance"] = "x"; },
     "spec.pod.labels"},
    {"uid of another job", [](auto& s) { s.pod.labels["streaming.millrace.io/job-uid"] = "x"; },
     "spec.pod.labels"},
    {"system priority", [](auto& s) { s.pod.priority_class_name = "system-node-critical"; },
     "spec.pod.priorityClassName"},
    {"privileged port", [](auto& s) { s.metrics.port = 80; }, "spec.metrics.port"},
    {"port of the workers", [](auto& s) { s.metrics.port = 7078; }, "spec.metrics.port"},
    {"address of another pod",
     [](auto& s) {
       s.pod.env = {{"POD_IP", "10.0.0.1"}};
     },
     "spec.pod.env[0].name"},
    {"state of a node", [](auto& s) { s.state->kind = api::DirectoryState{"/var/lib"}; },
     "spec.state"},
    {"toleration of everything unknown",
     [](auto& s) { s.pod.tolerations = {{.operation = "Any"}}; },
     "spec.pod.tolerations[0].operator"},
};

TEST(ClusterRulesTest, NoJobReachesBeyondItsNamespaceAndItsPods) {
  for (const Attempt& attempt : kAttempts) {
    api::StreamingJob job = SmallJob();
    attempt.edit(job.spec);
    const api::Diagnostics found = CheckForCluster(job);
    ASSERT_EQ(found.size(), 1u) << attempt.name;
    EXPECT_EQ(found[0].path, attempt.path) << attempt.name;
  }
}

// Fields of Kubernetes that grant something do not exist in a job at all.
TEST(ClusterRulesTest, FieldsThatGrantPrivilegesDoNotExist) {
  for (const char* field :
       {"pod: {hostNetwork: true}", "pod: {hostPID: true}", "pod: {securityContext: {}}",
        "pod: {containers: []}", "pod: {initContainers: []}", "pod: {serviceAccountToken: true}",
        "pod: {volumes: [{name: v, mountPath: /v, hostPath: {path: /}}]}",
        "pod: {volumes: [{name: v, mountPath: /v, secret: {secretName: s, namespace: "
        "kube-system}}]}",
        "pod: {env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]}",
        "state: {redis: {addresses: [\"r:1\"], auth: {secretName: s, namespace: other}}}",
        "namespace: kube-system", "securityContext: {privileged: true}"}) {
    const std::string text =
        "apiVersion: streaming.millrace.io/v1alpha1\nkind: StreamingJob\nmetadata: {name: a}\n"
        "spec:\n  " +
        std::string(field) +
        "\n  sources: [{name: s, stdin: {}, format: {text: {}}}]\n"
        "  sinks: [{name: o, from: s, console: {}}]\n";
    EXPECT_TRUE(api::HasErrors(api::ParseJob(text).diagnostics)) << field;
  }
}

TEST(ClusterRulesTest, OrdinaryJobsPass) {
  EXPECT_TRUE(CheckForCluster(SmallJob()).empty());
  EXPECT_TRUE(CheckForCluster(FullJob()).empty());
}

}  // namespace
}  // namespace millrace::controller
