#pragma once

#include "crds/base/status.h"
#include "worker/client/secret.h"

namespace millrace::worker {

// Reads the files once, so that one that no handshake can use is named before anything connects: a
// CA file, certificate or key that is missing, holds no PEM or none of the right kind, a key with a
// passphrase, a client certificate that has expired or is not valid yet, a key that belongs to
// another certificate. kInvalid or kNotFound, naming the file, never its content. Blocks on files.
Status CheckTlsFiles(const TlsFiles& files);

}  // namespace millrace::worker
