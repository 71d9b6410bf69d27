#include "operator/kube/api_answer.h"

#include <simdjson.h>

#include "crds/base/text.h"

namespace millrace::controller {
namespace {

using simdjson::dom::element;

constexpr size_t kMaxMessage = 512;

std::string TextAt(const element& from, std::string_view pointer) {
  std::string_view text;
  return from.at_pointer(pointer).get(text) == simdjson::SUCCESS ? std::string(text) : "";
}

RawObject ToObject(const element& from) {
  return {.ns = TextAt(from, "/metadata/namespace"),
          .name = TextAt(from, "/metadata/name"),
          .uid = TextAt(from, "/metadata/uid"),
          .resource_version = TextAt(from, "/metadata/resourceVersion"),
          .json = simdjson::minify(from)};
}

Status Unreadable(std::string_view what, std::string_view json, simdjson::error_code error) {
  return InternalError(std::string(what) + " of the API server cannot be read: " +
                       simdjson::error_message(error) + ": " + Excerpt(json));
}

Result<element> Parse(simdjson::dom::parser* parser, std::string_view what, std::string_view json) {
  element root;
  const auto error = parser->parse(json.data(), json.size()).get(root);
  if (error != simdjson::SUCCESS) return Unreadable(what, json, error);
  return root;
}

// The Status for an HTTP status code and the members of a Status object.
Status FromParts(int code, const std::string& reason, std::string message) {
  switch (code) {
    case 404:
      return NotFoundError(std::move(message));
    case 409:
      return reason == "AlreadyExists" ? AlreadyExistsError(std::move(message))
                                       : ConflictError(std::move(message));
    case 410:
      return GoneError(std::move(message));
    case 408:
    case 504:
      return DeadlineError(std::move(message));
    case 401:
    case 429:
      return UnavailableError(std::move(message));
    default:
      return code >= 500 ? UnavailableError(std::move(message)) : InvalidError(std::move(message));
  }
}

}  // namespace

std::string KeyOf(const RawObject& object) {
  return object.ns.empty() ? object.name : object.ns + "/" + object.name;
}

Result<RawObject> ParseObject(std::string_view json) {
  simdjson::dom::parser parser;
  ASSIGN_OR_RETURN(const element root, Parse(&parser, "an object", json));
  return ToObject(root);
}

Result<ListPage> ParseList(std::string_view json) {
  simdjson::dom::parser parser;
  ASSIGN_OR_RETURN(const element root, Parse(&parser, "a list", json));
  ListPage page;
  page.resource_version = TextAt(root, "/metadata/resourceVersion");
  page.continue_token = TextAt(root, "/metadata/continue");
  simdjson::dom::array list;
  if (root["items"].get(list) == simdjson::SUCCESS) {
    for (const element item : list) page.items.push_back(ToObject(item));
  } else if (!root["items"].is_null()) {
    return InternalError("a list of the API server has no items: " + Excerpt(json));
  }
  return page;
}

Result<WatchEvent> ParseWatchEvent(std::string_view line) {
  simdjson::dom::parser parser;
  ASSIGN_OR_RETURN(const element root, Parse(&parser, "an event of a watch", line));
  element object;
  if (root["object"].get(object) != simdjson::SUCCESS)
    return InternalError("an event of a watch has no object: " + Excerpt(line));
  WatchEvent event;
  const std::string type = TextAt(root, "/type");
  if (type == "ERROR") {
    int64_t code = 0;
    if (object["code"].get(code) != simdjson::SUCCESS) code = 500;
    event.type = WatchEventType::kError;
    event.error = FromParts(static_cast<int>(code), TextAt(object, "/reason"),
                            "watch: " + Excerpt(TextAt(object, "/message"), kMaxMessage));
    return event;
  }
  event.object = ToObject(object);
  if (type == "ADDED") {
    event.type = WatchEventType::kAdded;
  } else if (type == "MODIFIED") {
    event.type = WatchEventType::kModified;
  } else if (type == "DELETED") {
    event.type = WatchEventType::kDeleted;
  } else if (type != "BOOKMARK") {
    return InternalError("an event of a watch has the unknown type \"" + Excerpt(type) + "\"");
  }
  return event;
}

Status StatusOf(int code, std::string_view body, std::string_view what) {
  if (code >= 200 && code < 300) return OkStatus();
  simdjson::dom::parser parser;
  element root;
  std::string reason;
  std::string message = Excerpt(body, kMaxMessage);
  if (parser.parse(body.data(), body.size()).get(root) == simdjson::SUCCESS) {
    reason = TextAt(root, "/reason");
    if (std::string text = TextAt(root, "/message"); !text.empty())
      message = Excerpt(text, kMaxMessage);
  }
  return FromParts(code, reason, std::string(what) + ": " + std::to_string(code) + ": " + message);
}

}  // namespace millrace::controller
