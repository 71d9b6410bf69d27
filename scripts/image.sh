#!/usr/bin/env bash
# Builds the image from Dockerfile with docker, podman or buildah, whichever is there, and says how large it is.
# Usage: image.sh [--tag NAME] [--base] [--jobs N] [--test] [--ccache DIR] [--archive FILE]
#   --base     makes debian:trixie-slim with debootstrap first, unless it is there; for machines without a registry (buildah; needs root)
#   --test     runs the unit tests with the libraries of the image, too
#   --ccache   keeps compiled objects in DIR between builds (buildah and podman; default ~/.cache/millrace-image)
#   --archive  writes the image to FILE, for `ctr images import` and `docker load`
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^project(millrace VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
tag=millrace:$version jobs=$(nproc) ccache=${MILLRACE_IMAGE_CACHE:-$HOME/.cache/millrace-image} archive='' base='' tests=0
while [ $# -gt 0 ]; do
  case $1 in
    --tag) tag=$2; shift 2 ;;
    --jobs) jobs=$2; shift 2 ;;
    --ccache) ccache=$2; shift 2 ;;
    --test) tests=1; shift ;;
    --archive) archive=$2; shift 2 ;;
    --base) base=1; shift ;;
    *) echo "image: unknown option $1; there are --tag, --base, --jobs, --test, --ccache and --archive" >&2; exit 2 ;;
  esac
done

# Docker may be installed and not run.
works() { case $1 in docker) docker info ;; *) command -v "$1" ;; esac >/dev/null 2>&1; }
tool=
for each in ${base:+buildah} docker podman buildah; do works "$each" && tool=$each && break; done
[ -n "$tool" ] || { echo "image: needs docker, podman or buildah; scripts/install-deps.sh --image installs buildah" >&2; exit 1; }
[ -z "$base" ] || [ "$tool" = buildah ] || { echo "image: --base needs buildah; scripts/install-deps.sh --image installs it" >&2; exit 1; }
[ "$tool" = docker ] || { mkdir -p "$ccache"; ccache=$(cd "$ccache" && pwd); }

revision=$(git rev-parse --short HEAD 2>/dev/null || echo unknown)
# Two builds of one commit are of one date, so that they are the same.
seconds=$(git log -1 --format=%ct 2>/dev/null || echo 0)
arguments=(--build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "JOBS=$jobs" --build-arg "TEST=$tests"
  --build-arg "SOURCE_DATE_EPOCH=$seconds" --tag "$tag")
# Without root there may be no overlay mounts.
driver=overlay
[ "$(id -u)" -eq 0 ] || driver=vfs
buildah=(buildah --storage-driver "${STORAGE_DRIVER:-$driver}")

# The same files as the published image of that name: the distribution's minimal system.
make_base() {
  "${buildah[@]}" inspect --type image localhost/debian:trixie-slim >/dev/null 2>&1 && return
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
  podman) podman build --volume "$ccache:/ccache" --timestamp "$seconds" "${arguments[@]}" . ;;
  buildah)
    [ -z "$base" ] || make_base
    "${buildah[@]}" build --isolation chroot --layers --pull=missing --volume "$ccache:/ccache" --timestamp "$seconds" "${arguments[@]}" . ;;
esac

if [ -n "$archive" ]; then
  case $tool in
    buildah) rm -f "$archive"; "${buildah[@]}" push -q "$tag" "docker-archive:$archive:$tag" ;;
    *) "$tool" save -o "$archive" "$tag" ;;
  esac
  echo "image: $tag in $archive, $(gzip -c "$archive" | wc -c | awk '{printf "%.0f MB", $1 / 1e6}') compressed"
fi
