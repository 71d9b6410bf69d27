#pragma once

#include <string_view>

namespace millrace::api {

// Whether the host of a URL, as written there (IPv6 in brackets), is one where clouds serve
// metadata and credentials of the machine: their names, and every link-local address, in any form
// that a resolver takes (169.254.169.254, 0xa9fea9fe, 2852039166, [::ffff:169.254.169.254]). Pure;
// names that merely resolve to such an address are not known here.
bool IsMetadataHost(std::string_view host);

}  // namespace millrace::api
