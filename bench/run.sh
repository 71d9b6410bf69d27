#!/bin/sh
# Runs the micro benchmarks and then whole jobs: bench/run.sh BUILD_FOLDER. See README.md beside this file.
set -eu
build=${1:?usage: bench/run.sh BUILD_FOLDER}
here=$(dirname "$0")
for micro in expr format aggregate step peer; do
  echo "== $micro"
  "$build/bench/${micro}_bench"
done
echo "== jobs"
exec python3 "$here/run_jobs.py" "$build" --markdown "$build/bench/results.md"
