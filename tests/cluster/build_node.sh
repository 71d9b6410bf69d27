#!/usr/bin/env bash
# Puts kube-controller-manager, kube-scheduler, kubelet and kube-proxy, and kubectl where the machine has none, into
# ~/.cache/millrace-kube, built from the module in kube/ (Go 1.23 or later, about four minutes on the first time). Does nothing when
# those of this go.sum are there.
set -euo pipefail
cache=${MILLRACE_KUBE:-$HOME/.cache/millrace-kube}
here=$(cd "$(dirname "$0")" && pwd)
programs=(kube-controller-manager kube-scheduler kubelet kube-proxy)
command -v kubectl >/dev/null || programs+=(kubectl)
sum=$(cat "$here/kube/go.mod" "$here/kube/go.sum" | sha256sum | cut -c1-16)
missing=()
for each in "${programs[@]}"; do [ -x "$cache/$each" ] || missing+=("$each"); done
if [ ${#missing[@]} -eq 0 ] && [ "$(cat "$cache/node.sum" 2>/dev/null)" = "$sum" ]; then exit 0; fi

command -v go >/dev/null || { echo "build_node: needs go 1.23 or later" >&2; exit 1; }
mkdir -p "$cache"
version=$(awk '$1 == "require" && $2 == "k8s.io/kubernetes" {print $3}' "$here/kube/go.mod")
component=k8s.io/component-base/version
echo "build_node: building ${programs[*]} $version"
folder=$(mktemp -d "$cache/.new-XXXXXX")
trap 'rm -rf "$folder"' EXIT
(cd "$here/kube" && CGO_ENABLED=0 go build -trimpath \
  -ldflags "-s -w -X $component.gitVersion=$version -X $component.gitMajor=1 -X $component.gitMinor=${version:3:2}" \
  -o "$folder/" "${programs[@]/#/k8s.io/kubernetes/cmd/}")
mv "$folder"/* "$cache/"
echo "$sum" > "$cache/node.sum"
