#include "crds/api/slots.h"
#include "crds/base/text.h"

namespace millrace::api {
namespace {

constexpr std::string_view kApiVersion = "streaming.millrace.io/v1alpha1";
constexpr std::string_view kKind = "StreamingJob";

void DescribeConstant(Fields& fields, const Field& field, std::string_view wanted) {
  fields.OnText(field, {.type = "string",
                        .choices = {},
                        .get = [=]() -> std::optional<std::string> { return std::string(wanted); },
                        .set =
                            [=](const std::string& text) {
                              return text == wanted
                                         ? OkStatus()
                                         : InvalidError("\"" + Excerpt(text) +
                                                        "\" is not known; this build knows \"" +
                                                        std::string(wanted) + "\"");
                            }});
}

}  // namespace

void Describe(Fields& fields, StreamingJob& value) {
  DescribeConstant(fields, Required("apiVersion", "Version of the API.", kApiVersion), kApiVersion);
  DescribeConstant(fields, Required("kind", "Kind of the object.", kKind), kKind);
  fields.OnObject(Required("metadata", "Name, namespace and labels of the job."),
                  {.has = [] { return true; },
                   .create = [] {},
                   .describe = [&](Fields& inner) { Describe(inner, value.metadata); },
                   .ignored = {"creationTimestamp", "deletionGracePeriodSeconds",
                               "deletionTimestamp", "finalizers", "generateName", "managedFields",
                               "ownerReferences", "resourceVersion", "selfLink"}});
  Object(fields, Required("spec", "What the job does."), value.spec);
}

}  // namespace millrace::api
