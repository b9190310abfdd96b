#!/usr/bin/env bash
# Runs the tests with the addon built by a sanitizer, in a copy of the project, and prints what the sanitizer found in
# the addon. As root: the tests make network namespaces.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly USAGE="usage: scripts/sanitize.sh [address|thread] [PART…]   (default: both, and all tests but the fuzzers)"
readonly PARTS=(unit/ vectors/ property/ netns/ integration/)

main() {
  local sanitizers=(address thread) sanitizer code=0
  case ${1-} in
    address | thread) sanitizers=("$1") && shift ;;
    --help | -h) echo "$USAGE" && return ;;
    -*) echo "$USAGE" >&2 && return 2 ;;
  esac
  (($#)) || set -- "${PARTS[@]}"
  ./scripts/install.sh --for test
  scratch=$(mktemp -d)
  chmod 755 "$scratch" # some tests run node as another user
  trap 'rm -rf "$scratch"' EXIT
  for sanitizer in "${sanitizers[@]}"; do
    "with_$sanitizer" "$@" || code=1
  done
  return "$code"
}

with_address() {
  build_copy address -fsanitize=address,undefined
  copy_node libasan.so libubsan.so
  run_tests address '' "$@"
}

# Node and the libraries are not built with it, so it can not see what orders their own threads' accesses.
with_thread() {
  build_copy thread -fsanitize=thread
  copy_node libtsan.so
  run_tests thread ================== "$@"
}

# What is built stays out of the project, where everybody else looks for the addon.
build_copy() {
  copy=$scratch/$1
  mkdir -p "$copy/bin"
  mkdir -m 1777 "$copy/reports"
  git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents --preserve=timestamps -t "$copy"
  ln -s "$PWD/node_modules" "$copy/node_modules"
  echo "▸ the addon with $2"
  ONEHOP_SANITIZE=${2#*=} "$copy/scripts/install.sh" --for test
}

# The runtime has to be loaded before everything else. LD_PRELOAD would do that to every program that the tests start as
# well, and some of those break; a node that asks for it starts others of its kind.
copy_node() {
  local library libraries=()
  for library in "$@"; do libraries+=(--add-needed "$(patchelf --print-soname "$(g++ -print-file-name="$library")")"); done
  patchelf "${libraries[@]}" --output "$copy/bin/node" "$(node --print process.execPath)"
}

run_tests() {
  local name=$1 separator=$2 code=0 options="log_path=$copy/reports/report"
  shift 2
  (
    cd "$copy"
    export PATH="$copy/bin:$PATH" ASAN_OPTIONS=$options LSAN_OPTIONS=exitcode=0 UBSAN_OPTIONS=print_stacktrace=1:$options
    export TSAN_OPTIONS=exitcode=0:atexit_sleep_ms=0:ignore_noninstrumented_modules=1:$options
    exec node --import tsx test/run.ts "$@"
  ) || code=1
  print_findings "$separator" || code=1
  ((code == 0)) && echo "✔ $name: no finding" || echo "✖ $name"
  return "$code"
}

# A finding is a part of a report that names the addon: node leaves its own heap to the kernel when it ends. Parts end
# at empty lines or, of the thread sanitizer, at lines of equals signs.
print_findings() {
  local reports=("$copy"/reports/*)
  [[ -e ${reports[0]} ]] || return 0
  ! awk -v RS="$1" '/onehop\.node|native\/src|runtime error/ { print $0 "\n"; found = 1 } END { exit !found }' "${reports[@]}"
}

main "$@"
