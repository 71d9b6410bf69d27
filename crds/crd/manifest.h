#pragma once

#include <string>

#include "crds/crd/tree.h"

namespace millrace::crd {

// The CustomResourceDefinition of StreamingJob, made of the descriptions that read and write jobs,
// so that manifest, codec and reference cannot differ. Deterministic; thread-safe.
Tree Manifest();

// crds/streamingjob.yaml.
std::string ManifestText();

}  // namespace millrace::crd
