#!/usr/bin/env bash
# Builds the image from Dockerfile with docker, podman or buildah, whichever is there, and says how large it is.
# Usage: image.sh [--tag NAME] [--base] [--jobs N] [--ccache DIR] [--archive FILE]
#   --base     makes debian:trixie-slim with debootstrap first, for machines without a registry (buildah; needs root)
#   --ccache   keeps compiled objects in DIR between builds (buildah and podman)
#   --archive  writes the image to FILE, for `ctr images import` and `docker load` (buildah and podman)
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^project(millrace VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
tag=millrace:$version jobs=$(nproc) ccache='' archive='' base=''
while [ $# -gt 0 ]; do
  case $1 in
    --tag) tag=$2; shift 2 ;;
    --jobs) jobs=$2; shift 2 ;;
    --ccache) mkdir -p "$2"; ccache=$(cd "$2" && pwd); shift 2 ;;
    --archive) archive=$2; shift 2 ;;
    --base) base=1; shift ;;
    *) echo "image: unknown option $1; there are --tag, --base, --jobs, --ccache and --archive" >&2; exit 2 ;;
  esac
done

tool=
for each in docker podman buildah; do command -v "$each" >/dev/null && tool=$each && break; done
[ -n "$tool" ] || { echo "image: needs docker, podman or buildah; scripts/install-deps.sh --image installs buildah" >&2; exit 1; }
[ -z "$base$ccache$archive" ] || [ "$tool" != docker ] || { echo "image: docker takes --tag and --jobs only" >&2; exit 2; }

revision=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
arguments=(--build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "JOBS=$jobs" --tag "$tag")
buildah=(buildah --storage-driver "${STORAGE_DRIVER:-vfs}")

# The same files as the published image of that name: the distribution's minimal system.
make_base() {
  local mirror=${MIRROR:-$(apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | head -n 1)}
  [ -n "$mirror" ] || { echo "image: apt has no source on this machine; name one in MIRROR" >&2; exit 1; }
  local root; root=$(mktemp -d)
  trap 'rm -rf "$root"' RETURN
  debootstrap --variant=minbase trixie "$root" "$mirror" >/dev/null
  rm -rf "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/usr/share/{man,locale}/*
  local container; container=$("${buildah[@]}" from scratch)
  "${buildah[@]}" add -q "$container" "$root" / >/dev/null
  "${buildah[@]}" config --cmd bash "$container"
  "${buildah[@]}" commit -q --rm "$container" localhost/debian:trixie-slim >/dev/null
}

case $tool in
  docker) DOCKER_BUILDKIT=1 docker build "${arguments[@]}" . ;;
  podman) podman build ${ccache:+--volume "$ccache:/ccache"} "${arguments[@]}" . ;;
  buildah)
    [ -z "$base" ] || make_base
    "${buildah[@]}" build --isolation chroot --layers --pull=missing ${ccache:+--volume "$ccache:/ccache"} "${arguments[@]}" . ;;
esac

if [ -n "$archive" ]; then
  if [ "$tool" = podman ]; then podman save -o "$archive" "$tag"; else "${buildah[@]}" push -q "$tag" "docker-archive:$archive:$tag"; fi
  echo "image: $tag in $archive, $(gzip -c "$archive" | wc -c | awk '{printf "%.0f MB", $1 / 1e6}') compressed"
fi
