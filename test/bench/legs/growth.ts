/**
 * onehop as it grows: one service with one container and one known source, and each of these by itself grown large. Datagrams
 * come from all known sources at random. Measured beside each other, so that the ratios are of one and the same way.
 */
import { writeFileSync } from 'node:fs'
import type { Daemon } from '../../support/lab/daemon.ts'
import { untilTrue } from '../../support/lab/until.ts'
import { BRIDGE, type Lab, PUBLIC, UPLINK } from '../../support/lab.ts'
import { type Sources, sendFromEach } from '../datagrams.ts'
import type { Leg } from '../leg.ts'
import { datagramsServer, type Server } from '../servers.ts'

interface Size {
  readonly name: string
  readonly title: string
  readonly services?: number
  readonly containers?: number
  readonly sources?: number
}

type Grown = Pick<Size, 'services' | 'containers'>

const ONE: Size = { name: '1', title: '1 service, container and source' }
const GROWN: readonly Size[] = [
  // Nothing grew: what differs from the other is noise.
  { name: '1-again', title: 'the same, once more' },
  { name: '10k-services', title: '10,000 services', services: 10_000 },
  { name: '1m-sources', title: '1,000,000 known sources', sources: 1_000_000 },
  { name: '1k-containers', title: '1,000 containers', containers: 1_000 },
]

const FIRST_SOURCE = '10.128.0.0'

/** The base first. */
const legsOf = (way: string, title: string, fastpath: 'off' | 'require'): readonly Leg[] =>
  [ONE, ...GROWN].map((size) => ({
    name: `${way}-${size.name}`,
    title: `${title}: ${size.title}`,
    tools: [],
    async start(lab, servers) {
      const sources = { first: FIRST_SOURCE, count: size.sources ?? 1 }
      await addNeighbours(lab, size)
      if (size.containers !== undefined) await addAddresses(lab, size.containers)
      const daemon = await lab.startDaemon({ config: grownConfig(lab, servers, fastpath, size) })
      await importSources(lab, daemon, sources)
      return {
        address: PUBLIC,
        carries: 'tcp and udp',
        pid: daemon.running.pid,
        sources,
        ...(fastpath === 'off' ? {} : { beforeDatagrams: () => sendAll(lab, servers, sources) }),
        inspect: async () => undefined,
        stop: async () => {
          await daemon.stop()
        },
      }
    },
  }))

export const growthLegs: readonly Leg[] = [
  ...legsOf('fastpath', 'fast path', 'require'),
  ...legsOf('onehop', 'TUN path', 'off'),
]

/** What a leg is compared with: that of its way which has one of everything. */
export const baseOf = (leg: string): string => `${leg.split('-')[0]}-${ONE.name}`

/**
 * Each address that a service names leads to the container. Given, as network plugins give them: of those that it has found
 * itself the kernel keeps 1,024 (net.ipv4.neigh.default.gc_thresh3), in all network namespaces together.
 */
export async function addNeighbours(lab: Lab, { services = 1, containers = 0 }: Grown): Promise<void> {
  const { namespace } = lab.containers[0]!
  const [link] = JSON.parse(await namespace.run(['ip', '-j', 'link', 'show', 'dev', 'eth0']))
  const others = Array.from({ length: services - 1 }, (_, n) => otherAddress(n))
  await lab.host.run(['ip', '-batch', '-'], {
    input: [...addressesOf(containers), ...others]
      .map((address) => `neigh replace ${address} lladdr ${link.address} dev ${BRIDGE}\n`)
      .join(''),
  })
}

/** The container has as many addresses, so whichever is chosen serves. */
const addAddresses = (lab: Lab, count: number): Promise<string> =>
  lab.containers[0]!.namespace.run(['ip', '-batch', '-'], {
    input: addressesOf(count)
      .map((address) => `addr add ${address}/32 dev eth0\n`)
      .join(''),
  })

const addressesOf = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, n) => `10.77.${4 + (n >> 8)}.${n & 255}`)

export function grownConfig(
  lab: Lab,
  servers: readonly Server[],
  fastpath: string,
  { services = 1, containers }: Grown,
) {
  const some = lab.containers.map(({ name, address }) => ({ name, address }))
  const many = addressesOf(containers ?? 0).map((address, n) => ({ name: `many-${n}`, address }))
  const served = {
    name: 'bench',
    addresses: [PUBLIC],
    ports: servers.map(({ port }) => `${port}/any`),
    containers: [...some, ...many],
  }
  return {
    version: 1,
    interfaces: { bridges: [BRIDGE], uplinks: [UPLINK] },
    dataplane: { fastpath },
    // The client's own besides those that are imported.
    table: { capacity: 1_100_000 },
    services: [served, ...Array.from({ length: services - 1 }, (_, n) => otherService(n))],
  }
}

const otherService = (n: number) => ({
  name: `other-${n}`,
  addresses: [`10.192.${n >> 8}.${n & 255}`],
  ports: ['80/tcp->8080'],
  containers: [{ name: `other-${n}`, address: otherAddress(n) }],
})

const otherAddress = (n: number): string => `10.77.${128 + (n >> 8)}.${n & 255}`

/** Into the table, as clients of the first container. */
export async function importSources(lab: Lab, daemon: Daemon, { first, count }: Sources): Promise<void> {
  const file = lab.path('sources.csv')
  const start = first.split('.').reduce((number, byte) => number * 256 + Number(byte), 0)
  const lines = Array.from({ length: count }, (_, n) => {
    const source = [24, 16, 8, 0].map((shift) => ((start + n) >>> shift) & 255).join('.')
    return `bench,${source},${lab.containers[0]!.name}`
  })
  writeFileSync(file, `scope,source,container\n${lines.join('\n')}\n`)
  await untilTrue(
    async () => (await daemon.ask('table', 'import', file)).code === 0,
    'onehop table import: all sources are known',
  )
}

/** The fast path forgets who was silent for a minute, so all have to have sent just now. */
const sendAll = async (lab: Lab, servers: readonly Server[], sources: Sources): Promise<void> => {
  if (servers.includes(datagramsServer)) await sendFromEach(lab.client, PUBLIC, datagramsServer.port, sources)
}
