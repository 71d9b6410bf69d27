#pragma once

#include <functional>
#include <memory>
#include <stop_token>
#include <string>

#include "operator/kube/api_answer.h"
#include "operator/kube/resource.h"
#include "operator/kube/token.h"
#include "operator/kube/transport.h"

namespace millrace::controller {

struct ClientOptions {
  std::string field_manager = "millrace-operator";
  Duration timeout = std::chrono::seconds(15);              // of one call
  Duration watch_idle_timeout = std::chrono::seconds(150);  // bookmarks come every minute
  int max_attempts = 4;  // of a call the server turned away with 429, or 503 and Retry-After
  Duration max_retry_after = std::chrono::seconds(30);
  // Asked before every write; false refuses it with kAborted. For a leader whose lease ran out.
  std::function<bool()> may_write;
  // Called for every answer: the method and the status code, 0 without an answer.
  std::function<void(const std::string& method, int code, Duration took)> on_answer;
};

struct ApplyOptions {
  bool force = false;      // take fields from other managers
  bool to_status = false;  // the /status sub-resource
};

// Talks to one API server: what is read and written is JSON text. Waits where the server says so
// (429, or 503 with Retry-After), reads the token again on 401, never repeats a call otherwise.
// Calls end soon after `stop` is requested. Thread-safe. `clock` must outlive it. Errors as
// StatusOf and Transport; the message names method and path.
class Client {
 public:
  Client(std::unique_ptr<Transport> transport, std::unique_ptr<Token> token, Clock* clock,
         ClientOptions options = {});

  Result<RawObject> Get(const std::string& path, std::stop_token stop);
  // One page of at most `limit` objects; `continue_token` of the page before, or empty.
  Result<ListPage> List(const Resource& resource, const Selection& selection, int limit,
                        const std::string& continue_token, std::stop_token stop);
  // Follows changes from `resource_version` on, until the server ends the watch (ok) or fails.
  // Errors of `on_event` end it. A watch is no call: it is not repeated here.
  Status Watch(const Resource& resource, const Selection& selection,
               const std::string& resource_version, Duration server_timeout,
               const std::function<Status(const WatchEvent&)>& on_event, std::stop_token stop);

  // Server-side apply of a whole object. kConflict: another manager has a field (without force),
  // or metadata.uid or resourceVersion of `json` is another than the object's.
  Result<RawObject> Apply(const std::string& path, const std::string& json,
                          const ApplyOptions& options, std::stop_token stop);
  // JSON merge patch.
  Result<RawObject> MergePatch(const std::string& path, const std::string& json,
                               std::stop_token stop);
  Result<RawObject> Create(const std::string& collection, const std::string& json,
                           std::stop_token stop);
  // Replaces an object whose resourceVersion is that in `json`, else kConflict.
  Result<RawObject> Replace(const std::string& path, const std::string& json, std::stop_token stop);
  // Deletes the object with `uid` and, in the background, what it owns; kConflict for another one
  // of that name.
  Status Delete(const std::string& path, const std::string& uid, std::stop_token stop);

 private:
  HttpCall WriteCall(const char* method, const std::string& path, const char* content_type,
                     const std::string& json) const;
  Result<HttpAnswer> Send(HttpCall call, const std::stop_token& stop);
  Result<HttpAnswer> SendOnce(HttpCall* call, const std::stop_token& stop);
  Result<RawObject> SendForObject(HttpCall call, const std::stop_token& stop);

  std::unique_ptr<Transport> transport_;
  std::unique_ptr<Token> token_;
  Clock* clock_;
  const ClientOptions options_;
};

}  // namespace millrace::controller
