#!/usr/bin/env bash
# Installs, builds, checks types and style, and runs every test; the last line is the totals.
set -euo pipefail
cd "$(dirname "$0")/.."
((EUID == 0)) || { echo "test: expected root: the tests make network namespaces" >&2 && exit 1; }
./scripts/install.sh --for test

code=0
echo "▸ types and style …"
npm run --silent check || code=1
echo "▸ tests …"
npm test --silent || code=1
exit "$code"
