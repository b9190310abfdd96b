#!/usr/bin/env bash
# Undoes what route-up.sh made: `onehop routes down` with the same arguments, from the build when there is one.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
if [ -f "$root/dist/main.js" ]; then exec node "$root/dist/main.js" routes down "$@"; fi
exec node --import "file://$root/node_modules/tsx/dist/loader.mjs" "$root/src/main.ts" routes down "$@"
