import { spawnSync } from 'node:child_process'

/** Programs that the benchmark runs, and Debian's package of each. */
const PACKAGES = {
  dockerd: 'docker.io',
  haproxy: 'haproxy',
  'iptables-legacy': 'iptables',
  'iptables-nft': 'iptables',
  iperf3: 'iperf3',
  nft: 'nftables',
  nginx: 'nginx libnginx-mod-stream',
  sockperf: 'sockperf',
  wrk: 'wrk',
} as const

export type Tool = keyof typeof PACKAGES

/** Daemons live where an ordinary user's path does not lead. */
const PATH = `${process.env.PATH ?? ''}:/usr/local/sbin:/usr/sbin:/sbin`

/** Throws naming what to install, everything at once. */
export function requireTools(tools: Iterable<Tool>): void {
  const missing = [...new Set(tools)].filter((tool) => !isInstalled(tool)).sort()
  if (missing.length === 0) return
  const packages = missing.map((tool) => PACKAGES[tool]).join(' ')
  throw new Error(
    `not installed: ${missing.join(', ')} (scripts/install.sh --for bench, or apt-get install ${packages})`,
  )
}

const isInstalled = (tool: Tool): boolean =>
  spawnSync('sh', ['-c', 'command -v "$0"', tool], { env: { PATH } }).status === 0
