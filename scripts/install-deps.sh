#!/usr/bin/env bash
# Installs what the build and the tests need, by package name, on Debian 12/13 and Ubuntu 24.04.
# Does nothing when everything is there. Needs root or sudo only when something is missing.
# Usage: install-deps.sh [--dev] [--kafka] [--redis] [--model] [--schema] [--monitoring] [--drawing] [--image] [--cluster] [--peers]   clang and its tools; what a Kafka broker and its tests need; Redis servers; a model checker; a JSON schema checker; Prometheus; what draws its data; what builds an image; what runs containers; a Java compiler
set -euo pipefail

# name = what dpkg knows; "a|b" = the first one that the distribution has.
packages=(
  g++ make cmake ninja-build ccache mold pkg-config python3
  libyaml-cpp-dev libsimdjson-dev libxxhash-dev libre2-dev prometheus-cpp-dev libgtest-dev libgmock-dev
  libcpp-httplib-dev libcpprest-dev librdkafka-dev libhiredis-dev libzstd-dev liblz4-dev libsnappy-dev zlib1g-dev libssl-dev libzmq3-dev libcli11-dev tzdata procps
)
for group in "$@"; do
  case $group in
    --dev) packages+=(clang clang-format clang-tidy "libclang-rt-14-dev|libclang-rt-dev") ;;
    --kafka) packages+=("default-jre-headless|openjdk-17-jre-headless" maven openssl kcat python3-confluent-kafka util-linux) ;;
    --redis) packages+=(redis-server redis-tools) ;;
    --model) packages+=(spin) ;;
    --schema) packages+=(python3-jsonschema python3-yaml openssl) ;;
    --monitoring) packages+=(prometheus python3-yaml) ;;
    --drawing) packages+=(prometheus python3-matplotlib) ;;
    --image) packages+=(buildah debootstrap) ;;
    --cluster) packages+=(containerd runc containernetworking-plugins iptables iproute2 gcc openssl redis-server redis-tools) ;;
    --peers) packages+=("default-jdk-headless|openjdk-17-jdk-headless" maven) ;;
    *) echo "install-deps: unknown group $group; there are --dev, --kafka, --redis, --model, --schema, --monitoring, --drawing, --image, --cluster and --peers" >&2; exit 2 ;;
  esac
done

installed() { [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }

missing=()
for entry in "${packages[@]}"; do
  found=
  for name in ${entry//|/ }; do installed "$name" && found=1 && break; done
  [ -n "$found" ] || missing+=("$entry")
done
if [ ${#missing[@]} -eq 0 ]; then
  exit 0
fi

run=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "install-deps: missing: ${missing[*]}; run as root or install sudo" >&2; exit 1; }
  run=(sudo)
fi
echo "install-deps: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${run[@]}" apt-get update -qq
names=()
for entry in "${missing[@]}"; do
  for name in ${entry//|/ }; do
    if apt-cache show "$name" >/dev/null 2>&1; then names+=("$name"); break; fi
  done
done
"${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${names[@]}" >/dev/null
echo "install-deps: done"
