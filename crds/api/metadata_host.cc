#include "crds/api/metadata_host.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>

#include "crds/base/text.h"

namespace millrace::api {
namespace {

constexpr std::array<std::string_view, 5> kNames{"metadata", "metadata.google.internal",
                                                 "metadata.goog", "instance-data",
                                                 "instance-data.ec2.internal"};

bool IsMetadataAddress(in_addr address) {
  constexpr uint32_t kAlibaba = 0x64646464u + 100;  // 100.100.100.200
  constexpr uint32_t kAzure = 0xa83f8110u;          // 168.63.129.16
  const uint32_t number = ntohl(address.s_addr);
  return number >> 16 == 0xa9fe || number == kAlibaba || number == kAzure;
}

bool IsMetadataAddress(const in6_addr& address) {
  if (IN6_IS_ADDR_LINKLOCAL(&address)) return true;
  if (IN6_IS_ADDR_V4MAPPED(&address) || IN6_IS_ADDR_V4COMPAT(&address)) {
    in_addr last;
    std::memcpy(&last, &address.s6_addr[12], sizeof last);
    return IsMetadataAddress(last);
  }
  in6_addr amazon;
  return inet_pton(AF_INET6, "fd00:ec2::254", &amazon) == 1 &&
         std::memcmp(&amazon, &address, sizeof amazon) == 0;
}

}  // namespace

bool IsMetadataHost(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  const std::string name = ToLowerAscii(host);
  if (std::find(kNames.begin(), kNames.end(), name) != kNames.end()) return true;
  in_addr address;
  if (inet_aton(name.c_str(), &address) != 0) return IsMetadataAddress(address);
  in6_addr wide;
  return name.size() > 2 && name.front() == '[' &&
         inet_pton(AF_INET6, name.substr(1, name.size() - 2).c_str(), &wide) == 1 &&
         IsMetadataAddress(wide);
}

}  // namespace millrace::api
