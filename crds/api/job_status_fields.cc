#include "crds/api/job_status.h"
#include "crds/api/slots.h"
#include "crds/base/text.h"

namespace millrace::api {
namespace {

constexpr std::string_view kUnknown = "unknown";

void DescribeTime(Fields& fields, const Field& field, std::optional<TimePoint>& target) {
  fields.OnText(field, {.type = "RFC 3339 time",
                        .choices = {},
                        .get = [&]() -> std::optional<std::string> {
                          if (!target) return std::nullopt;
                          return FormatRfc3339(*target);
                        },
                        .set = [&](const std::string& text) -> Status {
                          ASSIGN_OR_RETURN(target, ParseRfc3339(text));
                          return OkStatus();
                        }});
}

void DescribeCount(Fields& fields, std::string_view name, std::string_view meaning,
                   std::optional<int64_t>& target) {
  Int(fields, Optional(name, meaning, kUnknown), target, 0);
}

}  // namespace

void Describe(Fields& fields, JobCondition& value) {
  Text(fields, Required("type", "Ready, Stalled, Degraded and others.", "Ready"), value.type,
       kNonEmptyText);
  Enum(fields, Required("status", "Whether it holds.", "True"), value.status,
       {"True", "False", "Unknown"});
  Text(fields, Optional("reason", "Why, in one word."), value.reason, kAnyText);
  Text(fields, Optional("message", "Why, in a sentence."), value.message, kAnyText);
  DescribeTime(fields, Optional("lastTransitionTime", "When status changed.", kUnknown),
               value.last_transition_time);
  DescribeCount(fields, "observedGeneration", "The metadata.generation it speaks of.",
                value.observed_generation);
}

void Describe(Fields& fields, WorkerStatus& value) {
  DescribeCount(fields, "desired", "Workers there should be.", value.desired);
  DescribeCount(fields, "current", "Workers there are.", value.current);
  DescribeCount(fields, "ready", "Workers that take part.", value.ready);
  DescribeCount(fields, "updated", "Workers of the newest revision.", value.updated);
}

void Describe(Fields& fields, BatchStatus& value) {
  DescribeCount(fields, "committed", "The last committed batch.", value.committed);
  DescribeTime(fields, Optional("time", "The time of that batch.", kUnknown), value.time);
  Interval(fields, Optional("duration", "How long it ran.", kUnknown), value.duration, Duration(0));
  Interval(fields, Optional("schedulingDelay", "How long it waited.", kUnknown),
           value.scheduling_delay, Duration(0));
  Interval(fields, Optional("totalDelay", "Wait and run together.", kUnknown), value.total_delay,
           Duration(0));
}

void Describe(Fields& fields, JobError& value) {
  Text(fields, Required("message", "What failed, without data of records.", "topic lines is gone"),
       value.message, kAnyText);
  DescribeTime(fields, Optional("time", "When it failed.", kUnknown), value.time);
}

void Describe(Fields& fields, JobStatus& value) {
  DescribeCount(fields, "observedGeneration", "The metadata.generation this speaks of.",
                value.observed_generation);
  Enum(fields, Optional("phase", "Where the job stands.", kUnknown), value.phase,
       {"Pending", "Starting", "Running", "Upgrading", "Rescaling", "Suspending", "Suspended",
        "Stalled", "Completed", "Failed", "Deleting"});
  Text(fields, Optional("revision", "Revision of the workers' template.", kUnknown), value.revision,
       kNonEmptyText);
  Enum(fields, Optional("edit", "What the last edit does: nothing, or its class.", kUnknown),
       value.edit, {"None", "Hot", "Scale", "Roll", "Fixed"});
  Strings(fields, Optional("edited", "The fields of that edit."), value.edited, kNonEmptyText);
  DescribeCount(fields, "generation", "Grows with every start, rescale and failover.",
                value.generation);
  Text(fields, Optional("selector", "Labels of the worker pods, for /scale.", kUnknown),
       value.selector, kNonEmptyText);
  Object(fields, Optional("workers", "Counts of workers."), value.workers);
  Object(fields, Optional("batch", "The last committed batch."), value.batch);
  DescribeCount(fields, "lagRecords", "Records in the sources that no batch has taken.",
                value.lag_records);
  DescribeCount(fields, "restarts", "Failures of workers since the job was healthy.",
                value.restarts);
  Object(fields, Optional("lastError", "The last failure.", "none"), value.last_error);
  List(fields, Optional("conditions", "Conditions by type.", "[]"), value.conditions);
  Text(fields, Optional("memory", "Notes of the operator to itself.", "none"), value.memory,
       kAnyText);
}

}  // namespace millrace::api
