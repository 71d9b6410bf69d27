#pragma once

#include <map>
#include <string>
#include <string_view>

#include "crds/api/spec.h"

namespace millrace::controller {

inline constexpr std::string_view kApiVersion = "streaming.millrace.io/v1alpha1";
inline constexpr std::string_view kJobKind = "StreamingJob";
inline constexpr std::string_view kFinalizer = "streaming.millrace.io/state";
// On a job that is being deleted, with the value "true": give up the state and let go.
inline constexpr std::string_view kSkipCleanupAnnotation = "streaming.millrace.io/skip-cleanup";
// On our objects: the digest of what was applied.
inline constexpr std::string_view kContentAnnotation = "streaming.millrace.io/content";
inline constexpr std::string_view kUidLabel = "streaming.millrace.io/job-uid";
inline constexpr std::string_view kRevisionLabel = "streaming.millrace.io/revision";
// On the pods of workers: the number of the roll-out that made them, which their job file has too.
inline constexpr std::string_view kRolloutAnnotation = "streaming.millrace.io/rollout";
// Users may not set labels or annotations of these domains, nor of domains that end with them.
inline constexpr std::string_view kReservedDomains[] = {"kubernetes.io", "k8s.io", "millrace.io"};

inline constexpr std::string_view kJobFolder = "/etc/millrace/job";
inline constexpr std::string_view kJobFileName = "job.yaml";
inline constexpr std::string_view kSecretsFolder = "/etc/millrace/secrets";
inline constexpr std::string_view kConfigFolder = "/etc/millrace/config";
inline constexpr int kControlPort = 7077;
inline constexpr int kDataPort = 7078;  // the worker takes the port after the first one

enum class Component { kWorker, kCleanup };

// "<job>-<suffix>", at most 63 characters; a job's name that is too long is cut and marked with a
// digest of the whole, so that two jobs never share a name. Pure.
std::string ChildName(const std::string& job, std::string_view suffix);

// The labels that select a job's pods; they never change while the job lives.
std::map<std::string, std::string> SelectorLabels(const api::ObjectMeta& job, Component component);
// Those, and who manages the object.
std::map<std::string, std::string> ObjectLabels(const api::ObjectMeta& job, Component component);
// SelectorLabels of workers as `status.selector` and list calls take them: "a=b,c=d".
std::string SelectorText(const api::ObjectMeta& job);

// The identity of the job's state: spec.state.id, else its uid.
std::string StateId(const api::StreamingJob& job);

}  // namespace millrace::controller
