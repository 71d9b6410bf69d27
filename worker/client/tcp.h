#pragma once

#include <stop_token>
#include <string>

#include "crds/base/clock.h"
#include "crds/base/file.h"
#include "crds/base/status.h"

namespace millrace::worker {

// Connects to the first address of `host` that answers; the socket is non-blocking. Blocks up to
// `timeout` per address, hears stop (kAborted). kUnavailable when nobody answers or the name is
// unknown, naming host and port.
Result<UniqueFd> ConnectTcp(const std::string& host, int port, Duration timeout,
                            const std::stop_token& stop);
// Waits for input on `fd`, at most `timeout` and hearing stop in steps of 100 ms. True when a read
// will not block.
bool WaitReadable(int fd, Duration timeout, const std::stop_token& stop);
// The same for a write.
bool WaitWritable(int fd, Duration timeout, const std::stop_token& stop);

}  // namespace millrace::worker
