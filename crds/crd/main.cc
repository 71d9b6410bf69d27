// Prints crds/streamingjob.yaml.
#include <cstdio>

#include "crds/crd/manifest.h"

int main() {
  std::fputs(millrace::crd::ManifestText().c_str(), stdout);
  return 0;
}
