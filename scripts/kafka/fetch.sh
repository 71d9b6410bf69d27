#!/usr/bin/env bash
# Fetches the jars of a Kafka broker once and prints the folder that holds them (in `lib/`).
# The folder is named after the version and the pom, so a changed pom makes a new one. Safe to run several times at once.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's|.*<kafka.version>\(.*\)</kafka.version>.*|\1|p' "$here/pom.xml")
cache=${XDG_CACHE_HOME:-$HOME/.cache}/millrace/kafka
home=$cache/$version-$(sha256sum "$here/pom.xml" | cut -c1-12)

if [ ! -d "$home/lib" ]; then
  "$here/../install-deps.sh" --kafka >&2
  mkdir -p "$cache"
  temp=$(mktemp -d "$cache/.fetch.XXXXXX")
  trap 'rm -rf "$temp"' EXIT
  echo "fetch: Kafka $version into $home" >&2
  mvn -q -B -Dstyle.color=never -f "$here/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$temp/lib" >&2
  chmod 755 "$temp"
  # Whoever comes second finds a folder in place and leaves it: the contents are the same.
  mv -T "$temp" "$home" 2>/dev/null || [ -d "$home/lib" ]
fi
echo "$home"
