#!/usr/bin/env bash
# Puts helm into ~/.cache/millrace-kube, built from the module in helm/ (Go 1.23 or later, about two minutes on the first time).
# Does nothing when the helm of this go.sum is there.
set -euo pipefail
cache=${MILLRACE_KUBE:-$HOME/.cache/millrace-kube}
here=$(cd "$(dirname "$0")" && pwd)
sum=$(cat "$here/helm/go.mod" "$here/helm/go.sum" | sha256sum | cut -c1-16)
if [ -x "$cache/helm" ] && [ "$(cat "$cache/helm.sum" 2>/dev/null)" = "$sum" ]; then exit 0; fi

command -v go >/dev/null || { echo "build_helm: needs go 1.23 or later" >&2; exit 1; }
mkdir -p "$cache"
version=$(awk '$1 == "require" && $2 == "helm.sh/helm/v3" {print $3} $1 == "helm.sh/helm/v3" {print $2}' "$here/helm/go.mod" | head -1)
echo "build_helm: building helm $version"
internal=helm.sh/helm/v3/internal/version
# helm takes the Kubernetes version that it renders for by default from these.
client=$(awk '$1 == "k8s.io/client-go" {print $2}' "$here/helm/go.mod")
minor=$(echo "$client" | cut -d. -f2)
util=helm.sh/helm/v3/pkg
(cd "$here/helm" && CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X $internal.version=$version -X $internal.metadata= \
  -X $util/lint/rules.k8sVersionMajor=1 -X $util/lint/rules.k8sVersionMinor=$minor \
  -X $util/chartutil.k8sVersionMajor=1 -X $util/chartutil.k8sVersionMinor=$minor" \
  -o "$cache/helm" helm.sh/helm/v3/cmd/helm)
echo "$sum" > "$cache/helm.sum"
