#!/usr/bin/env bash
# Looks for packets that break onehop, for as long as it is told; --help says how. Changes only native/fuzz.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/install.sh --for test
exec node --import tsx scripts/fuzz.ts "$@"
