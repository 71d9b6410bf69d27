#pragma once

#include <string>

namespace millrace::controller {

// One kind of object as the API server addresses it.
struct Resource {
  std::string group_version;  // "v1", "apps/v1"
  std::string plural;         // "deployments"
};

// What a list or watch covers.
struct Selection {
  std::string ns;              // empty: all namespaces
  std::string label_selector;  // empty: all
  bool metadata_only = false;  // objects come without spec and status
};

// "/apis/apps/v1/namespaces/ns/deployments", without `ns` for all namespaces. Pure.
std::string CollectionPath(const Resource& resource, const std::string& ns);
std::string ObjectPath(const Resource& resource, const std::string& ns, const std::string& name);
// `text` with all but letters, digits and -._~ as %XX.
std::string UrlEncode(const std::string& text);

}  // namespace millrace::controller
