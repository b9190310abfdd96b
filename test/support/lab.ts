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
 * With `clientRouter`, `containerRouter` or both, each with an MTU of its own for the network behind it:
 *
 *     ┌─ client ─────────────┐   ┌─ clientRouter ───────┐               ┌─ containerRouter ─┐   ┌─ c1 … cN ──────┐
 *     │ eth0 198.18.1.2/24   ╞═══╡ br0 198.18.1.1/24    ╞═══╡ host ╞═══╡ eth0 10.77.0.2/16 ╞═══╡ 10.78.0.11/16  │
 *     │      2001:db8:181::2 │   │     2001:db8:181::1  │               │      fd77::2/64   │   │ fd78::11/64    │
 *     └──────────────────────┘   │ eth0 198.18.0.2/24   │               │ br0 10.78.0.1/16  │   └────────────────┘
 *                                └──────────────────────┘               └───────────────────┘
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
import { connect, containerAddresses, type Routers } from './lab/topology.ts'

/** What a server in a container listens on; 8080 and 5353 unless said. */
interface ServerPorts {
  readonly http?: readonly number[]
  readonly udp?: readonly number[]
  /** Nothing is logged. */
  readonly isQuiet?: boolean
}

export interface LabOptions extends ServerPorts {
  /** How many; 3 unless said. */
  readonly containers?: number
  readonly mtu?: number
  /** Between the client and the host. */
  readonly clientRouter?: RouterOptions
  /** Between the host's bridge and all containers. */
  readonly containerRouter?: RouterOptions
  /** What the host's rp_filter is, for all interfaces: 0 none, 1 strict, 2 loose (systemd's default). */
  readonly rpFilter?: 0 | 1 | 2
}

export interface RouterOptions {
  /** Of the network behind it; the lab's unless said. */
  readonly mtu?: number
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
  /** The port of the host's, or of the router's, bridge that leads to it. */
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
    readonly routers: Routers,
    folder: string,
  ) {
    this.#folder = folder
    const inside = containers.map(({ namespace }) => namespace)
    const between = [routers.client, routers.container].filter((one) => one !== undefined)
    this.#namespaces = [client, host, ...inside, ...between]
  }

  /** Resolves when every server in it listens. `close` it in a finally or an after hook. */
  static async open(options: LabOptions = {}): Promise<Lab> {
    const { containers = 3, http = [8080], udp = [5353], isQuiet = false } = options
    const { clientRouter, containerRouter } = options
    const names = ['client', 'host', ...Array.from({ length: containers }, (_, i) => `c${i + 1}`)]
    const openRouter = (name: string, wanted?: RouterOptions) => wanted && Namespace.open(name)
    const [opened, ...between] = await Promise.all([
      Promise.all(names.map((name) => Namespace.open(name))),
      openRouter('client-router', clientRouter),
      openRouter('container-router', containerRouter),
    ])
    const [client, host, ...inside] = opened as [Namespace, Namespace, ...Namespace[]]
    const routers = { client: between[0], container: between[1] }
    const lab = new Lab(
      client,
      host,
      inside.map((namespace, i) =>
        startContainer(namespace, i, containerAddresses(routers, i), { http, udp, isQuiet }),
      ),
      routers,
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

  async #connect({ mtu = 1500, rpFilter = 2, clientRouter, containerRouter }: LabOptions): Promise<void> {
    const { client, host, containers, routers } = this
    const mtus = { host: mtu, clients: clientRouter?.mtu ?? mtu, containers: containerRouter?.mtu ?? mtu }
    await connect({
      ...{ client, host, containers, routers },
      ...{ uplink: UPLINK, bridge: BRIDGE, rpFilter, mtu: mtus },
    })
    await Promise.all(containers.map(({ server }) => server.until(({ lines }) => lines.length > 0, 'ready')))
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

function startContainer(
  namespace: Namespace,
  index: number,
  addresses: Pick<Container, 'address' | 'address6'>,
  ports: ServerPorts,
): Container {
  const server = startServer(namespace, ports)
  return {
    name: namespace.name,
    namespace,
    ...addresses,
    port: `veth${index + 1}`,
    server,
    get log() {
      return server.lines.slice(1).map((line) => JSON.parse(line) as ServerRecord)
    },
  }
}

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
