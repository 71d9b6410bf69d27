#!/usr/bin/env bash
# Counts the words of this machine's licence and copyright texts in sliding windows and shows the ten most frequent of each.
# Usage: demo.sh MILLRACE
set -euo pipefail
millrace=$1
cd "$(dirname "$0")/.."
echo "millrace run examples/word-count-licences.yaml   (ends by itself; Ctrl-C stops after the batch)"
"$millrace" run examples/word-count-licences.yaml
echo "The job is examples/word-count-licences.yaml; docs/quick-start.md goes on from here."
