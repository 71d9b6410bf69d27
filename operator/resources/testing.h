#pragma once

#include <string>

#include "crds/api/spec.h"

// Jobs for tests of the operator.
namespace millrace::controller {

// A small valid job "word-count" with state in Redis. Aborts the test when it does not parse.
api::StreamingJob SmallJob();
// A job "payments" that uses every part of a pod: Secrets, ConfigMaps, volumes, placement.
api::StreamingJob FullJob();

}  // namespace millrace::controller
