#!/usr/bin/env bash
# Serves mixed traffic for as long as it is told, while an operator changes everything; --help says how. As root: it makes
# network namespaces, and changes nothing outside them.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/install.sh --for test
exec node --import tsx scripts/soak.ts "$@"
