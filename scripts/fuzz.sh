#!/usr/bin/env bash
# Builds the fuzzers with clang under asan+ubsan and runs each for FUZZ_SECONDS (60) from its corpus in tests/fuzz/corpus.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${FUZZ_SECONDS:-60}
cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target millrace_fuzzers
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
for fuzzer in build/fuzz/fuzzers/*_fuzz; do
  name=$(basename "$fuzzer" _fuzz)
  mkdir -p "$found/$name"
  echo "fuzz $name for ${seconds}s"
  "$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
    "$found/$name" "tests/fuzz/corpus/$name"
done
echo "all fuzzers clean"
