#!/usr/bin/env bash
# Installs what onehop needs here, then builds it: Debian packages that are missing, npm packages, the native addon,
# the TypeScript. Does nothing that is done already. As root it installs packages; as anyone else it names them.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly USAGE="usage: scripts/install.sh [--for run|demo|test|bench]   (default: run)"
readonly OLDEST_NODE=20
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
export LC_ALL=C.UTF-8

# What is looked for, and the Debian package that brings it. A compiler that came another way is as good.
readonly FOR_RUN=(ip=iproute2 nft=nftables 'g++=g++' make=make python3=python3 npm=npm)
# The fast path is built where these are; all else is complete without them.
readonly FOR_FAST_PATH=(clang=clang libbpf=libbpf-dev)
readonly FOR_DEMO=(unshare=util-linux nsenter=util-linux setpriv=util-linux mount=mount)
readonly FOR_TEST=(curl=curl openssl=openssl ping=iputils-ping ethtool=ethtool iperf3=iperf3 iptables=iptables
  tcpdump=tcpdump tshark=tshark traceroute=traceroute scapy=python3-scapy 'clang++=clang' libfuzzer=libclang-rt-dev llvm-cov=llvm
  patchelf=patchelf dockerd=docker.io docker=docker.io
  zsh=zsh fish=fish bash-completion=bash-completion mandoc=mandoc groff=groff man=man-db promtool=prometheus pyte=python3-pyte)
readonly FOR_BENCH=(haproxy=haproxy sockperf=sockperf wrk=wrk nginx=nginx nginx-stream=libnginx-mod-stream)
readonly POLICY=/usr/sbin/policy-rc.d

main() {
  local purpose=run
  case "$#:${1-}:${2-}" in
    0::) ;;
    2:--for:run | 2:--for:demo | 2:--for:test | 2:--for:bench) purpose=$2 ;;
    1:--help: | 1:-h:) echo "$USAGE" && return ;;
    *) fail 2 "$USAGE" ;;
  esac
  log=$(mktemp)
  trap 'stop_progress; allow_services; rm -f "$log"' EXIT
  require_node
  install_debian_packages "$purpose"
  install_npm_packages
  build
}

fail() {
  printf 'install: %s\n' "${@:2}" >&2
  exit "$1"
}

require_node() {
  local version
  version=$(node --version 2>/dev/null) || fail 1 "node: not found; expected Node.js $OLDEST_NODE or newer (https://nodejs.org)"
  [[ $version =~ ^v([0-9]+)\. && ${BASH_REMATCH[1]} -ge $OLDEST_NODE ]] ||
    fail 1 "node: $version; expected Node.js $OLDEST_NODE or newer (https://nodejs.org)"
}

install_debian_packages() {
  local wanted=("${FOR_RUN[@]}") missing
  [[ $1 == run ]] || wanted+=("${FOR_DEMO[@]}")
  [[ $1 == test || $1 == bench ]] && wanted+=("${FOR_TEST[@]}" "${FOR_FAST_PATH[@]}")
  [[ $1 == bench ]] && wanted+=("${FOR_BENCH[@]}")
  find_missing "${wanted[@]}"
  ((${#missing[@]} == 0)) || install_missing
  find_missing "${FOR_FAST_PATH[@]}"
  ((${#missing[@]} == 0)) || (install_missing) || echo "  without them the fast path is not built"
}

# Into `missing`: the packages of what is not there.
find_missing() {
  local part
  missing=()
  for part in "$@"; do
    is_there "${part%%=*}" || [[ " ${missing[*]} " == *" ${part#*=} "* ]] || missing+=("${part#*=}")
  done
}

install_missing() {
  command -v apt-get >/dev/null || fail 1 "missing: ${missing[*]} (named as Debian does; no apt-get here to install them)"
  ((EUID == 0)) || fail 1 "missing: ${missing[*]}" "expected root to install them: sudo apt-get install ${missing[*]}"
  step "Debian packages: ${missing[*]}" apt_install "${missing[@]}"
}

# Debian's own python3 holds scapy, whichever python3 comes first on the path; libFuzzer comes apart from clang.
is_there() {
  case $1 in
    scapy | pyte) /usr/bin/python3 -c "import $1" 2>/dev/null ;;
    bash-completion) [[ -f /usr/share/bash-completion/bash_completion ]] ;;
    libfuzzer) compgen -G "$(clang++ -print-runtime-dir 2>/dev/null)/libclang_rt.fuzzer*" >/dev/null ;;
    nginx-stream) [[ -f /usr/lib/nginx/modules/ngx_stream_module.so ]] ;;
    libbpf) [[ -f /usr/include/bpf/libbpf.h ]] ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

# Package lists may be missing or name versions that are gone: they are read anew only when it fails without.
apt_install() {
  [[ " $* " != *" tshark "* ]] ||
    echo 'wireshark-common wireshark-common/install-setuid boolean false' | debconf-set-selections
  local code=0
  forbid_services
  apt_get install "$@" || { apt_get update && apt_get install "$@"; } || code=$?
  allow_services
  return "$code"
}

# Services that come with a package (haproxy, dockerd) are not to start: they would take ports, and change the host's
# firewall. RUNLEVEL=1 keeps init scripts from it, the policy keeps systemd from it (deb-systemd-invoke(1p)).
forbid_services() {
  [[ -e $POLICY ]] && return
  printf '#!/bin/sh\n# of onehop'"'"'s install.sh, for as long as that runs\nexit 101\n' >"$POLICY"
  chmod 755 "$POLICY"
  forbidden=1
}

allow_services() {
  [[ -z ${forbidden-} ]] || rm -f "$POLICY"
  forbidden=
}

apt_get() {
  RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=120 -o APT::Install-Recommends=false "$@"
}

install_npm_packages() {
  local stamp=node_modules/.installed-from now
  now="$(node --version) $(hash_of package.json package-lock.json)"
  is_stamped "$stamp" "$now" && return
  step "npm packages" npm ci --no-audit --no-fund
  echo "$now" >"$stamp"
}

# node-gyp removes native/build, and its stamp, whenever it builds; tsc leaves dist as it is, so it always runs.
build() {
  local stamp=native/build/.built-from now
  use_local_node_headers
  now="$(node --version) $(hash_of native package-lock.json)"
  if ! is_stamped "$stamp" "$now"; then
    npm_config_jobs=${npm_config_jobs-max} step "native addon" npm run build:native
    echo "$now" >"$stamp"
  fi
  step "TypeScript" npm run build:ts
}

# Node's headers usually stand beside it; without them node-gyp loads them from nodejs.org.
use_local_node_headers() {
  local prefix
  prefix=$(node --print 'require("node:path").resolve(process.execPath, "../..")')
  [[ -z ${npm_config_nodedir-} && -f $prefix/include/node/node_version.h ]] || return 0
  [[ $(headers_version "$prefix") == "$(node --version)" ]] && export npm_config_nodedir=$prefix
  return 0
}

headers_version() {
  awk '$2 ~ /^NODE_(MAJOR|MINOR|PATCH)_VERSION$/ { printf "%s%s", (n++ ? "." : "v"), $3 }' "$1/include/node/node_version.h"
}

hash_of() {
  find "$@" \( -path native/build -o -path native/fuzz \) -prune -o -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

is_stamped() {
  [[ -f $1 && $(<"$1") == "$2" ]]
}

# Says what is being done, that it still is, and how long it took; what it printed only when it fails.
step() {
  local title=$1 start=$SECONDS code=0
  shift
  printf '▸ %s …\n' "$title"
  tell_progress &
  ticker=$!
  "$@" >"$log" 2>&1 || code=$?
  stop_progress
  if ((code != 0)); then
    cat "$log" >&2
    fail 1 "$title: failed, see above"
  fi
  printf '  done in %d s\n' "$((SECONDS - start))"
}

# Waits by `read` from a pipe that stays empty: a `sleep` would be a process more, to be ended too.
tell_progress() {
  local empty
  exec {empty}<> <(:)
  while true; do
    read -rt 15 -u "$empty" || printf '  … %d s  %s\n' "$((SECONDS - start))" "$(grep -v '^$' "$log" | tail -n 1 | cut -c 1-100)"
  done
}

stop_progress() {
  [[ -n ${ticker-} ]] || return 0
  kill "$ticker" 2>/dev/null || true
  wait "$ticker" 2>/dev/null || true
  ticker=
}

main "$@"
