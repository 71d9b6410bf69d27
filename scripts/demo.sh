#!/usr/bin/env bash
# Counts the words of this machine's licence and documentation texts, in windows, and shows the most frequent ones.
# Usage: demo.sh MILLRACE
set -euo pipefail
millrace=$1
cd "$(dirname "$0")/.."
echo "millrace run examples/word-count-licences.yaml   (Ctrl-C stops after the batch)"
exec "$millrace" run examples/word-count-licences.yaml
