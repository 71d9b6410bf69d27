#!/usr/bin/env bash
# Puts the programs of an API server into ~/.cache/millrace-kube: kube-apiserver built from the module in kube/ (Go 1.23 or later,
# some minutes on the first time), etcd from the distribution's package, unpacked and not installed. Does nothing when both are there.
set -euo pipefail
cache=${MILLRACE_KUBE:-$HOME/.cache/millrace-kube}
here=$(cd "$(dirname "$0")" && pwd)
sum=$(cat "$here/kube/go.mod" "$here/kube/go.sum" | sha256sum | cut -c1-16)
mkdir -p "$cache"

if [ ! -x "$cache/kube-apiserver" ] || [ "$(cat "$cache/sum" 2>/dev/null)" != "$sum" ]; then
  command -v go >/dev/null || { echo "build_apiserver: needs go 1.23 or later" >&2; exit 1; }
  version=$(awk '$1 == "require" && $2 == "k8s.io/kubernetes" {print $3}' "$here/kube/go.mod")
  component=k8s.io/component-base/version
  echo "build_apiserver: building kube-apiserver $version"
  (cd "$here/kube" && CGO_ENABLED=0 go build -trimpath \
    -ldflags "-s -w -X $component.gitVersion=$version -X $component.gitMajor=1 -X $component.gitMinor=${version:3:2}" \
    -o "$cache/kube-apiserver" k8s.io/kubernetes/cmd/kube-apiserver)
  echo "$sum" > "$cache/sum"
fi

if [ ! -x "$cache/etcd" ]; then
  if command -v etcd >/dev/null; then
    cp "$(command -v etcd)" "$cache/etcd"
  else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
    (cd "$folder" && apt-get download -q etcd-server >/dev/null && dpkg -x etcd-server*.deb .)
    cp "$folder/usr/bin/etcd" "$cache/etcd"
  fi
fi
