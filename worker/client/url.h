#pragma once

#include <string>
#include <string_view>

#include "crds/base/status.h"

namespace millrace::worker {

// An absolute http or https address. A value; thread-compatible.
struct Url {
  bool tls = false;
  std::string host;    // lower case, without the brackets of an IPv6 address
  int port = 0;        // 80 and 443 where the text has none
  std::string target;  // path and query, at least "/"

  // "host", "host:port" or "[v6]:port": what a Host header carries.
  std::string Authority() const;
  // "https://host:port" without the target: safe to print.
  std::string Origin() const;
  bool SameOrigin(const Url& other) const {
    return tls == other.tls && host == other.host && port == other.port;
  }
};

// Reads "http://host[:port][/path][?query]"; a fragment is dropped. kInvalid for other schemes
// (file://, ftp://), for user names and passwords in the address, and for control or non-ASCII
// bytes. Messages never repeat what stands before an "@".
Result<Url> ParseUrl(std::string_view text);
// `location` of a redirect, absolute or beginning with "/".
Result<Url> ResolveRedirect(const Url& base, std::string_view location);

}  // namespace millrace::worker
