#include "operator/kube/client.h"

#include <algorithm>
#include <chrono>

#include "crds/base/json_writer.h"
#include "operator/kube/line_buffer.h"

namespace millrace::controller {
namespace {

constexpr const char* kMetadataList =
    "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
constexpr const char* kMetadata = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
constexpr Duration kDefaultRetryAfter = std::chrono::seconds(1);

std::string WithSelector(std::string target, const Selection& selection) {
  if (!selection.label_selector.empty())
    target += "&labelSelector=" + UrlEncode(selection.label_selector);
  return target;
}

bool WaitIsAsked(const HttpAnswer& answer) {
  return answer.status == 429 || (answer.status == 503 && answer.retry_after);
}

std::string NameOf(const HttpCall& call) { return call.method + " " + call.target; }

}  // namespace

Client::Client(std::unique_ptr<Transport> transport, std::unique_ptr<Token> token, Clock* clock,
               ClientOptions options)
    : transport_(std::move(transport)),
      token_(std::move(token)),
      clock_(clock),
      options_(std::move(options)) {}

// One call with the token of now; a second one with a new token where that was refused.
Result<HttpAnswer> Client::SendOnce(HttpCall* call, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(call->bearer, token_->Get());
  if (call->method != "GET" && options_.may_write && !options_.may_write())
    return AbortedError(NameOf(*call) + ": this process no longer leads");
  const MonotonicTime begun = clock_->Monotonic();
  Result<HttpAnswer> answer = transport_->Send(*call, stop);
  if (options_.on_answer)
    options_.on_answer(call->method, answer.ok() ? answer->status : 0, clock_->Monotonic() - begun);
  return answer;
}

Result<HttpAnswer> Client::Send(HttpCall call, const std::stop_token& stop) {
  call.timeout = call.idle_timeout = options_.timeout;
  bool renewed = false;
  for (int attempt = 1;; ++attempt) {
    ASSIGN_OR_RETURN(HttpAnswer answer, SendOnce(&call, stop));
    if (answer.status == 401 && !renewed) {
      renewed = true;
      token_->Refused(call.bearer);
      continue;
    }
    if (WaitIsAsked(answer) && attempt < options_.max_attempts) {
      const Duration wait = answer.retry_after.value_or(kDefaultRetryAfter);
      if (!clock_->SleepFor(std::min(wait, options_.max_retry_after), stop))
        return AbortedError(NameOf(call) + ": stopped");
      continue;
    }
    RETURN_IF_ERROR(StatusOf(answer.status, answer.body, NameOf(call)));
    return answer;
  }
}

Result<RawObject> Client::SendForObject(HttpCall call, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const HttpAnswer answer, Send(std::move(call), stop));
  return ParseObject(answer.body);
}

Result<RawObject> Client::Get(const std::string& path, std::stop_token stop) {
  HttpCall call;
  call.target = path;
  return SendForObject(std::move(call), stop);
}

Result<ListPage> Client::List(const Resource& resource, const Selection& selection, int limit,
                              const std::string& continue_token, std::stop_token stop) {
  HttpCall call;
  call.target = WithSelector(
      CollectionPath(resource, selection.ns) + "?limit=" + std::to_string(limit), selection);
  if (!continue_token.empty()) call.target += "&continue=" + UrlEncode(continue_token);
  if (selection.metadata_only) call.accept = kMetadataList;
  ASSIGN_OR_RETURN(const HttpAnswer answer, Send(std::move(call), stop));
  return ParseList(answer.body);
}

Status Client::Watch(const Resource& resource, const Selection& selection,
                     const std::string& resource_version, Duration server_timeout,
                     const std::function<Status(const WatchEvent&)>& on_event,
                     std::stop_token stop) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(server_timeout).count();
  HttpCall call;
  call.target = WithSelector(
      CollectionPath(resource, selection.ns) +
          "?watch=1&allowWatchBookmarks=true&resourceVersion=" + UrlEncode(resource_version) +
          "&timeoutSeconds=" + std::to_string(seconds),
      selection);
  if (selection.metadata_only) call.accept = kMetadata;
  call.timeout = Duration(0);
  call.idle_timeout = options_.watch_idle_timeout;
  ASSIGN_OR_RETURN(call.bearer, token_->Get());
  LineBuffer lines;
  Status failed;
  const auto on_line = [&](std::string_view line) -> Status {
    ASSIGN_OR_RETURN(const WatchEvent event, ParseWatchEvent(line));
    return on_event(event);
  };
  const auto on_bytes = [&](std::string_view bytes) {
    failed = lines.Add(bytes, on_line);
    return failed.ok();
  };
  const MonotonicTime begun = clock_->Monotonic();
  const Result<HttpAnswer> answer = transport_->Stream(call, on_bytes, stop);
  if (options_.on_answer)
    options_.on_answer("WATCH", answer.ok() ? answer->status : 0, clock_->Monotonic() - begun);
  RETURN_IF_ERROR(failed);
  if (!answer.ok()) return answer.status();
  if (answer->status == 401) token_->Refused(call.bearer);
  return StatusOf(answer->status, answer->body, NameOf(call));
}

// A write of `json` in the name of this client's field manager.
HttpCall Client::WriteCall(const char* method, const std::string& path, const char* content_type,
                           const std::string& json) const {
  HttpCall call;
  call.method = method;
  call.target = path + "?fieldManager=" + options_.field_manager;
  call.content_type = content_type;
  call.body = json;
  return call;
}

Result<RawObject> Client::Apply(const std::string& path, const std::string& json,
                                const ApplyOptions& options, std::stop_token stop) {
  HttpCall call = WriteCall("PATCH", path + (options.to_status ? "/status" : ""),
                            "application/apply-patch+yaml", json);
  call.target += options.force ? "&force=true" : "&force=false";
  return SendForObject(std::move(call), stop);
}

Result<RawObject> Client::MergePatch(const std::string& path, const std::string& json,
                                     std::stop_token stop) {
  return SendForObject(WriteCall("PATCH", path, "application/merge-patch+json", json), stop);
}

Result<RawObject> Client::Create(const std::string& collection, const std::string& json,
                                 std::stop_token stop) {
  return SendForObject(WriteCall("POST", collection, "application/json", json), stop);
}

Result<RawObject> Client::Replace(const std::string& path, const std::string& json,
                                  std::stop_token stop) {
  return SendForObject(WriteCall("PUT", path, "application/json", json), stop);
}

Status Client::Delete(const std::string& path, const std::string& uid, std::stop_token stop) {
  JsonWriter body;
  body.BeginObject();
  body.Key("kind");
  body.String("DeleteOptions");
  body.Key("apiVersion");
  body.String("v1");
  body.Key("propagationPolicy");
  body.String("Background");
  body.Key("preconditions");
  body.BeginObject();
  body.Key("uid");
  body.String(uid);
  body.EndObject();
  body.EndObject();
  HttpCall call;
  call.method = "DELETE";
  call.target = path;
  call.content_type = "application/json";
  call.body = body.Take();
  return Send(std::move(call), stop).status();
}

}  // namespace millrace::controller
