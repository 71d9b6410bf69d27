#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crds/base/status.h"

// What the API server answers, read from JSON. Pure; never throws.
namespace millrace::controller {

// One object as it came, with what tells it from others.
struct RawObject {
  std::string ns;
  std::string name;
  std::string uid;
  std::string resource_version;  // opaque: compared for equality only
  std::string json;              // the whole object
};
// "namespace/name", or the name alone.
std::string KeyOf(const RawObject& object);

struct ListPage {
  std::vector<RawObject> items;
  std::string resource_version;
  std::string continue_token;  // empty: the last page
};

enum class WatchEventType { kAdded, kModified, kDeleted, kBookmark, kError };
struct WatchEvent {
  WatchEventType type = WatchEventType::kBookmark;
  RawObject object;  // a bookmark has the resource version only
  Status error;      // of kError
};

Result<RawObject> ParseObject(std::string_view json);
Result<ListPage> ParseList(std::string_view json);
Result<WatchEvent> ParseWatchEvent(std::string_view line);

// The Status of an answer with HTTP status `code`, ok below 300. The message is the server's, cut;
// `what` was attempted. 404 not_found, 409 already_exists or conflict, 410 gone, 401, 429 and 5xx
// unavailable, 408 and 504 deadline, all else invalid.
Status StatusOf(int code, std::string_view body, std::string_view what);

}  // namespace millrace::controller
