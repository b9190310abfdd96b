#!/usr/bin/env bash
# Shows onehop at work: clients, a container host and three containers in network namespaces, the real daemon between
# them. Needs root, or a kernel that lets users make namespaces. Changes nothing outside the namespaces; ends by itself.
set -euo pipefail
cd "$(dirname "$0")/.."
./scripts/install.sh --for demo

demo=(node --import tsx scripts/demo.ts)
((EUID == 0)) && exec "${demo[@]}"

unshare --user --map-root-user --net --mount true 2>/dev/null || {
  echo "demo: expected root, or a kernel that lets users make namespaces (here: unshare --user is refused); sudo $0" >&2
  exit 1
}
[[ -r /dev/net/tun && -w /dev/net/tun ]] || {
  echo "demo: /dev/net/tun: expected to be readable and writable for $(id -un), as Debian has it (0666); or: sudo $0" >&2
  exit 1
}
# shellcheck disable=SC2016
exec unshare --user --map-root-user --net --mount sh -c 'mount -t tmpfs tmpfs /run && exec "$@"' sh "${demo[@]}"
