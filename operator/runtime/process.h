#pragma once

#include <stop_token>

#include "crds/base/status.h"
#include "operator/runtime/options.h"

namespace millrace::controller {

// The life of the operator: serves probes and metrics, mirrors the cluster, leads when it holds the
// lease, works until `stop`. On a stop it ends its passes and gives the lease back, in this order;
// without the lease it returns an error, for a fresh process to begin again. Blocks.
Status RunOperator(const OperatorOptions& options, std::stop_token stop);

}  // namespace millrace::controller
