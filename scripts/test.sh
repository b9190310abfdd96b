#!/usr/bin/env bash
# Installs, builds, checks types and style, and runs every test (or those whose files' paths have a PART); the last line
# is the totals. With --node, under that version of Node.js, taken from npm: the addon is built once, for all of them.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly USAGE="usage: scripts/test.sh [--node VERSION] [PART...]"

main() {
  local version=
  case "${1-}" in
    --node) version=${2-} && [[ $version =~ ^[0-9]+(\.[0-9]+)*$ ]] || fail 2 "$USAGE" && shift 2 ;;
    -*) fail 2 "$USAGE" ;;
  esac
  ((EUID == 0)) || fail 1 "test: expected root: the tests make network namespaces"
  ./scripts/install.sh --for test
  [[ -z $version ]] || use_node "$version"

  local code=0
  echo "▸ types and style …"
  npm run --silent check || code=1
  echo "▸ tests, Node.js $(node --version) …"
  npm test --silent -- "$@" || code=1
  exit "$code"
}

fail() {
  echo "$2" >&2
  exit "$1"
}

use_node() {
  local folder=node_modules/.cache/node-$1 package
  package=node-linux-$(node -p process.arch)
  [[ -x $folder/node_modules/$package/bin/node ]] ||
    npm install --loglevel=error --no-save --no-package-lock --no-fund --no-audit --prefix "$folder" "$package@$1" ||
    fail 1 "test: --node $1: expected a version that npm has $package of"
  PATH="$PWD/$folder/node_modules/$package/bin:$PATH"
}

main "$@"
