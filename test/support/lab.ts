/**
 * A lab of network namespaces for one test: clients, a container host, and containers with servers.
 *
 *     ┌─ client ──────────────────┐   ┌─ host ───────────────────────────────┐   ┌─ c1 … cN ──────────────┐
 *     │ eth0 198.18.0.2/24        │   │ up0 198.18.0.1/24                    │   │ eth0 10.77.0.11/16     │
 *     │      2001:db8:18::2/64    ╞═══╡     2001:db8:18::1/64                │ ┌─╡      fd77::11/64       │
 *     │ lo   198.19.0.0/16        │   │                  br0 10.77.0.1/16    │ │ │  default via br0       │
 *     │      2001:db8:19::/64     │   │  default via up0     fd77::1/64      │ │ │  HTTP, UDP             │
 *     │  default via up0          │   │                   ├ veth1 ═══════════╪═┘ └────────────────────────┘
 *     └───────────────────────────┘   │ onehop, forwarding └ veth2 … vethN   │
 *                                     └──────────────────────────────────────┘
 *
 * Every address of 198.19.0.0/16 and 2001:db8:19::/64 is the client's own: a connection may be made from any of
 * them. 203.0.113.0/24 and 2001:db8:53::/64 are free for public addresses; the client's default route leads there.
 * No name is given to anything outside the namespaces, so labs can stand side by side, and when this process ends,
 * however it does, the kernel removes them.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Daemon, type DaemonOptions } from './lab/daemon.ts'
import { Namespace } from './lab/namespace.ts'
import type { Running } from './lab/running.ts'

/** What a server in a container listens on; 8080 and 5353 unless said. */
interface ServerPorts {
  readonly http?: readonly number[]
  readonly udp?: readonly number[]
}

export interface LabOptions extends ServerPorts {
  /** How many; 3 unless said. */
  readonly containers?: number
  readonly mtu?: number
  /** What the host's rp_filter is, for all interfaces: 0 none, 1 strict, 2 loose (systemd's default). */
  readonly rpFilter?: 0 | 1 | 2
}

/** One request as its container's server logged it. */
export interface ServerRecord {
  readonly protocol: 'http' | 'udp'
  readonly port: number
  readonly container: string
  readonly peer: string
  readonly peerPort: number
  readonly path?: string
}

export interface Container {
  readonly name: string
  readonly namespace: Namespace
  readonly address: string
  readonly address6: string
  /** The bridge's port that leads to it. */
  readonly port: string
  readonly server: Running
  /** What its server has logged so far. */
  readonly log: readonly ServerRecord[]
}

export const PUBLIC = '203.0.113.10'
export const PUBLIC6 = '2001:db8:53::10'
export const UPLINK = 'up0'
export const BRIDGE = 'br0'

const SERVER = join(import.meta.dirname, 'servers', 'container.mjs')

/** Client address number 0 … 65,533: 198.19.0.1 and up. */
export const clientAddress = (n: number): string => `198.19.${(n + 1) >> 8}.${(n + 1) & 255}`
export const clientAddress6 = (n: number): string => `2001:db8:19::${(n + 1).toString(16)}`

/** Runs `use` in a new lab and removes the lab, whatever happens. */
export async function withLab<Result>(
  options: LabOptions,
  use: (lab: Lab) => Promise<Result>,
): Promise<Result> {
  const lab = await Lab.open(options)
  try {
    return await use(lab)
  } finally {
    await lab.close()
  }
}

export class Lab {
  readonly #folder: string
  readonly #namespaces: readonly Namespace[]
  #daemons = 0
  #captures = 0

  private constructor(
    readonly client: Namespace,
    readonly host: Namespace,
    readonly containers: readonly Container[],
    folder: string,
  ) {
    this.#folder = folder
    this.#namespaces = [client, host, ...containers.map(({ namespace }) => namespace)]
  }

  /** Resolves when every server in it listens. `close` it in a finally or an after hook. */
  static async open(options: LabOptions = {}): Promise<Lab> {
    const { containers = 3, http = [8080], udp = [5353] } = options
    const names = ['client', 'host', ...Array.from({ length: containers }, (_, i) => `c${i + 1}`)]
    const opened = await Promise.all(names.map((name) => Namespace.open(name)))
    const [client, host, ...inside] = opened as [Namespace, Namespace, ...Namespace[]]
    const lab = new Lab(
      client,
      host,
      inside.map((namespace, i) => startContainer(namespace, i, { http, udp })),
      mkdtempSync(join(tmpdir(), 'onehop-lab-')),
    )
    openLabs.add(lab)
    try {
      await lab.#connect(options)
    } catch (error) {
      await lab.close()
      throw error
    }
    return lab
  }

  async #connect({ mtu = 1500, rpFilter = 2 }: LabOptions): Promise<void> {
    await this.host.script(hostScript(this.client, this.containers, mtu, rpFilter))
    await Promise.all([
      this.client.script(CLIENT_SCRIPT),
      ...this.containers.map((container) => container.namespace.script(containerScript(container))),
      ...this.containers.map(({ server }) => server.until(({ lines }) => lines.length > 0, 'ready')),
    ])
  }

  /** Starts the daemon and resolves when it serves. */
  async startDaemon(options: DaemonOptions = { config: this.config() }): Promise<Daemon> {
    const daemon = this.launchDaemon(options)
    await daemon.untilReady()
    return daemon
  }

  /** Starts the daemon and does not wait. */
  launchDaemon(options: DaemonOptions, folder = this.path(`daemon-${++this.#daemons}`)): Daemon {
    return new Daemon(this.host, folder, options)
  }

  /** A config for all containers: 80/tcp and 53/udp of both public addresses to what their servers listen on. */
  config(containers: readonly Container[] = this.containers) {
    return {
      version: 1,
      interfaces: { tun: 'onehop0', bridges: [BRIDGE], uplinks: [UPLINK] },
      key: '000102030405060708090a0b0c0d0e0f',
      services: [
        {
          name: 'web',
          addresses: [PUBLIC, PUBLIC6],
          ports: ['80/tcp->8080', '53/udp->5353', '5201/tcp', '5201/udp'],
          containers: containers.map(({ name, address, address6 }) => ({ name, address, address6 })),
        },
      ],
    }
  }

  /** A file in the lab's own folder. */
  path(name: string): string {
    return join(this.#folder, name)
  }

  capture(namespace: Namespace, interfaceName: string, filter?: string) {
    const file = this.path(`${namespace.name}-${interfaceName}-${++this.#captures}.pcap`)
    return namespace.capture(interfaceName, file, filter)
  }

  async close(): Promise<void> {
    await Promise.all(this.#namespaces.map((namespace) => namespace.close()))
    this.kill()
  }

  /** As `close`, without waiting. */
  kill(): void {
    for (const namespace of this.#namespaces) namespace.kill()
    rmSync(this.#folder, { recursive: true, force: true })
    openLabs.delete(this)
  }
}

/** A container's server, in any namespace; its first line of output says that it listens. */
export const startServer = (namespace: Namespace, ports: ServerPorts): Running =>
  namespace.start([process.execPath, SERVER, namespace.name, JSON.stringify(ports)])

function startContainer(namespace: Namespace, index: number, ports: ServerPorts): Container {
  const server = startServer(namespace, ports)
  return {
    name: namespace.name,
    namespace,
    address: `10.77.0.${11 + index}`,
    address6: `fd77::${11 + index}`,
    port: `veth${index + 1}`,
    server,
    get log() {
      return server.lines.slice(1).map((line) => JSON.parse(line) as ServerRecord)
    },
  }
}

const hostScript = (
  client: Namespace,
  containers: readonly Container[],
  mtu: number,
  rpFilter: number,
): string => `
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
echo ${rpFilter} > /proc/sys/net/ipv4/conf/all/rp_filter
echo ${rpFilter} > /proc/sys/net/ipv4/conf/default/rp_filter
ip -batch - <<END
link add ${UPLINK} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${client.pid}
addr add 198.18.0.1/24 dev ${UPLINK}
addr add 2001:db8:18::1/64 dev ${UPLINK}
link set ${UPLINK} up
route add default via 198.18.0.2
route add default via 2001:db8:18::2
link add ${BRIDGE} mtu ${mtu} type bridge
addr add 10.77.0.1/16 dev ${BRIDGE}
addr add fd77::1/64 dev ${BRIDGE}
link set ${BRIDGE} up
${containers
  .map(
    ({ port, namespace }) => `
link add ${port} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${namespace.pid}
link set ${port} master ${BRIDGE} up`,
  )
  .join('')}
END`

const CLIENT_SCRIPT = `
echo 1 > /proc/sys/net/ipv6/ip_nonlocal_bind
ip -batch - <<END
addr add 198.18.0.2/24 dev eth0
addr add 2001:db8:18::2/64 dev eth0
link set eth0 up
route add default via 198.18.0.1
route add default via 2001:db8:18::1
route add local 198.19.0.0/16 dev lo
route add local 2001:db8:19::/64 dev lo
END`

const containerScript = ({ address, address6 }: Container): string => `
ip -batch - <<END
addr add ${address}/16 dev eth0
addr add ${address6}/64 dev eth0
link set eth0 up
route add default via 10.77.0.1
route add default via fd77::1
END`

/** The kernel removes namespaces and processes by itself; what is left to do at the end are the folders. */
const openLabs = new Set<Lab>()
const killLabs = () => {
  for (const lab of openLabs) lab.kill()
}
process.on('exit', killLabs)
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.once(signal, () => {
    killLabs()
    process.kill(process.pid, signal)
  })
