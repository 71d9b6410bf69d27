#include "operator/kube/resource.h"

#include <cctype>
#include <string_view>

#include "crds/base/text.h"

namespace millrace::controller {

std::string CollectionPath(const Resource& resource, const std::string& ns) {
  const bool core = resource.group_version.find('/') == std::string::npos;
  std::string path = (core ? "/api/" : "/apis/") + resource.group_version;
  if (!ns.empty()) path += "/namespaces/" + ns;
  return path + "/" + resource.plural;
}

std::string ObjectPath(const Resource& resource, const std::string& ns, const std::string& name) {
  return CollectionPath(resource, ns) + "/" + UrlEncode(name);
}

std::string UrlEncode(const std::string& text) {
  std::string encoded;
  for (const char c : text) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) != 0 ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      encoded += c;
    } else {
      encoded += "%" + HexEncode(std::string_view(&c, 1));
    }
  }
  return encoded;
}

}  // namespace millrace::controller
