#include "worker/client/url.h"

#include <algorithm>
#include <charconv>

#include "crds/base/text.h"

namespace millrace::worker {
namespace {

constexpr size_t kMaxUrlBytes = 8192;

bool HasForbiddenByte(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte <= 0x20 || byte >= 0x7f || c == '"' || c == '<' || c == '>' || c == '\\';
  });
}

Result<int> ParsePort(std::string_view text) {
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port < 1 || port > 65535) {
    return InvalidError("URL has port \"" + Excerpt(text, 20) + "\"; a port is 1 to 65535");
  }
  return port;
}

bool IsHostName(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::all_of(host.begin(), host.end(), [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '.' || c == '_';
  });
}

bool IsIpv6Text(std::string_view host) {
  return !host.empty() && host.size() <= 45 && std::all_of(host.begin(), host.end(), [](char c) {
    return std::isxdigit(static_cast<unsigned char>(c)) != 0 || c == ':' || c == '.';
  });
}

Status ParseAuthority(std::string_view authority, Url* url) {
  std::string_view port;
  if (authority.starts_with('[')) {
    const size_t close = authority.find(']');
    if (close == std::string_view::npos) return InvalidError("URL has \"[\" without \"]\"");
    url->host = ToLowerAscii(authority.substr(1, close - 1));
    if (!IsIpv6Text(url->host)) return InvalidError("URL has no IPv6 address inside \"[]\"");
    port = authority.substr(close + 1);
    if (!port.empty() && port[0] != ':') return InvalidError("URL has text after \"]\"");
  } else {
    const size_t colon = authority.find(':');
    url->host = ToLowerAscii(authority.substr(0, colon));
    if (!IsHostName(url->host)) {
      return InvalidError("URL has no valid host name: \"" + Excerpt(url->host) + "\"");
    }
    port = colon == std::string_view::npos ? std::string_view() : authority.substr(colon);
  }
  if (port.empty()) return OkStatus();
  ASSIGN_OR_RETURN(url->port, ParsePort(port.substr(1)));
  return OkStatus();
}

}  // namespace

std::string Url::Authority() const {
  std::string text = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (tls ? 443 : 80)) text += ":" + std::to_string(port);
  return text;
}

std::string Url::Origin() const { return (tls ? "https://" : "http://") + Authority(); }

Result<Url> ParseUrl(std::string_view text) {
  if (text.size() > kMaxUrlBytes) return InvalidError("URL is longer than 8192 bytes");
  Url url;
  const size_t scheme_end = text.find("://");
  const std::string scheme =
      ToLowerAscii(scheme_end == std::string_view::npos ? "" : text.substr(0, scheme_end));
  if (scheme != "http" && scheme != "https") {
    return InvalidError("URL must begin with http:// or https://, found \"" +
                        Excerpt(scheme.empty() ? "" : scheme + "://", 20) + "\"");
  }
  url.tls = scheme == "https";
  url.port = url.tls ? 443 : 80;
  std::string_view rest = text.substr(scheme_end + 3);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  if (authority.find('@') != std::string_view::npos) {
    return InvalidError("URL has a user name or password in it; use auth.secretName");
  }
  if (HasForbiddenByte(text)) {
    return InvalidError("URL has a space, control or non-ASCII byte; percent-encode it");
  }
  RETURN_IF_ERROR(ParseAuthority(authority, &url));
  rest = rest.substr(authority.size());
  rest = rest.substr(0, rest.find('#'));
  url.target = rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
  return url;
}

Result<Url> ResolveRedirect(const Url& base, std::string_view location) {
  if (!location.starts_with('/') || location.starts_with("//")) return ParseUrl(location);
  return ParseUrl(base.Origin() + std::string(location));
}

}  // namespace millrace::worker
