import { Compiler } from '../../src/compile.ts'
import type { Config } from '../../src/config/config.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { TableSizes } from '../../src/dataplane/dataplane.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import type { ContainerState, Snapshot } from '../../src/pipeline/snapshot.ts'

/** A config with the states its containers may get into, for tests that hold two engines against each other. */
export interface World {
  readonly name: string
  readonly config: Config
  readonly sizes: TableSizes
}

const FRAME = `version: 1
interfaces: {bridges: [br0]}
key: "000102030405060708090a0b0c0d0e0f"
`

/** Ports mapped both ways, a container with its own port, an address for every port, pins, narrow prefixes. */
const PORTS_AND_PINS = `${FRAME}
services:
  - name: web
    addresses: [203.0.113.10, "2001:db8:53::10"]
    ports: [80/tcp->8080, 443/tcp]
    containers:
      - {name: web-1, address: 10.77.0.11, address6: "fd77::11"}
      - {name: web-2, address: 10.77.0.12, weight: 3}
      - {name: web-3, address6: "fd77::13"}
    affinity: {prefix4: 30, prefix6: 124, idle: 40s}
    pins:
      - {source: 198.51.100.0/24, container: web-1}
      - {source: 198.51.100.4/30, container: web-2}
      - {source: 198.51.100.6, container: web-3}
      - {source: "2001:db8:1::/48", container: web-3}
      - {source: "2001:db8:1::/127", container: web-1}
      - {source: 198.51.100.0/26, containers: [web-1, web-2, web-3]}
      - {source: "2001:db8:1::/64", containers: [web-3, web-1]}
  - name: dns
    addresses: [203.0.113.10, 203.0.113.11]
    ports: [53/udp->5353]
    containers:
      - {name: dns-1, address: 10.77.0.21, port: 53}
      - {name: dns-2, address: 10.77.0.22}
    sources: {allow: [0.0.0.0/1, 192.0.0.0/2], deny: [198.51.100.0/28], denied: reject}
  - name: every
    addresses: [203.0.113.12, "2001:db8:53::12"]
    ports: all
    containers:
      - {name: every-1, address: 10.77.0.31, address6: "fd77::31"}
      - {name: every-2, address: 10.77.0.32, address6: "fd77::32"}
    pins: [{source: 192.0.2.0/25, container: every-2}]
`

/** Endpoints that several addresses, ports and services lead to; scopes shared by group and by address. */
const SHARED = `${FRAME}
unserved: drop
services:
  - name: blue
    addresses: [203.0.113.10, 203.0.113.11, "2001:db8:53::10", "2001:db8:53::11"]
    ports: [80/tcp->8080, 81/tcp->8080, 53/udp]
    containers:
      - {name: one, address: 10.77.0.11, address6: "fd77::11"}
      - {name: two, address: 10.77.0.12, address6: "fd77::12"}
    affinity: {scope: group, group: colours, idle: 1m}
  - name: green
    addresses: [203.0.113.12]
    ports: [8080/tcp, 5353/udp->53]
    containers:
      - {name: one, address: 10.77.0.11, address6: "fd77::11"}
      - {name: three, address: 10.77.0.13, address6: "fd77::13"}
    affinity: {scope: group, group: colours, idle: 20s}
  - name: whole
    addresses: [203.0.113.12, "2001:db8:53::11"]
    ports: all
    containers:
      - {name: two, address: 10.77.0.12, address6: "fd77::12"}
      - {name: also-one, address: 10.77.0.11, address6: "fd77::11"}
    affinity: {scope: address, prefix4: 24, prefix6: 64}
`

/** Containers and the host call, seen under aliases whose prefixes end within a byte; one service wants every flow seen. */
const HAIRPIN = `${FRAME}
hairpin:
  alias4: 100.64.0.0/10
  alias6: "4000::/3"
  sources: [10.77.0.0/28, 10.77.0.32, 192.0.2.7, "fd77::/60", "2001:db8:2::7"]
services:
  - name: web
    addresses: [203.0.113.10, "2001:db8:53::10"]
    ports: [80/tcp->8080, 53/any]
    containers:
      - {name: web-1, address: 10.77.0.11, address6: "fd77::11"}
      - {name: web-2, address: 10.77.0.12, address6: "fd77::12"}
    affinity: {prefix4: 30}
    pins: [{source: 10.77.0.12, container: web-2}]
  - name: seen
    addresses: [203.0.113.11, "2001:db8:53::11"]
    ports: all
    containers:
      - {name: seen-1, address: 10.77.0.31, address6: "fd77::31"}
      - {name: seen-2, address: 10.77.0.32, address6: "fd77::32"}
    replies: flow
  - name: shared
    addresses: [203.0.113.12, 203.0.113.13]
    ports: [80/tcp->81, 443/tcp->81]
    containers: [{name: seen-1, address: 10.77.0.31, address6: "fd77::31"}]
`

/** An algorithm each, with weights, containers of one family, and little patience. */
const ALGORITHMS = `${FRAME}
services:
${['maglev', 'weighted-round-robin', 'least-sources', 'random-two']
  .map(
    (algorithm, i) => `  - name: ${algorithm}
    addresses: [203.0.113.1${i}, "2001:db8:53::1${i}"]
    ports: [80/tcp->8080, 53/udp]
    algorithm: ${algorithm}
    affinity: {idle: 30s}
    containers:
      - {name: ${algorithm}-1, address: 10.77.${i}.11, address6: "fd77::${i}:11"}
      - {name: ${algorithm}-2, address: 10.77.${i}.12, address6: "fd77::${i}:12", weight: 5}
      - {name: ${algorithm}-3, address: 10.77.${i}.13, weight: 2}
      - {name: ${algorithm}-4, address6: "fd77::${i}:14", weight: 3}
`,
  )
  .join('')}`

/** Services without containers that can take anyone, rejecting and dropping. */
const EMPTY = `${FRAME}
services:
  - name: rejecting
    addresses: [203.0.113.10, "2001:db8:53::10"]
    ports: [80/tcp, 53/udp]
    containers: []
  - name: dropping
    addresses: [203.0.113.11, "2001:db8:53::11"]
    ports: all
    containers: [{name: idle, address: 10.77.0.11, address6: "fd77::11", weight: 0}]
    empty: drop
  - name: half
    addresses: [203.0.113.12, "2001:db8:53::12"]
    ports: all
    containers: [{name: four, address: 10.77.0.12}]
`

/** Sources that come to several services, with hardly a place for new ones, of prefixes that end within a byte. */
const LIMITS = `${FRAME}
newSources: {perSource: 1, perPrefix: 2, burst: 1s, prefix4: 9, prefix6: 19}
services:
  - name: web
    addresses: [203.0.113.10, "2001:db8:53::10"]
    ports: [80/tcp->8080, 53/udp]
    algorithm: weighted-round-robin
    affinity: {idle: 5s}
    containers:
      - {name: web-1, address: 10.77.0.11, address6: "fd77::11"}
      - {name: web-2, address: 10.77.0.12, address6: "fd77::12", weight: 2}
    pins: [{source: 198.51.100.0/26, container: web-2}]
  - name: mail
    addresses: [203.0.113.11, "2001:db8:53::11"]
    ports: [25/tcp, 443/any]
    affinity: {idle: 5s}
    containers: [{name: mail-1, address: 10.77.0.21, address6: "fd77::21"}]
  - name: every
    addresses: [203.0.113.12, "2001:db8:53::12"]
    ports: all
    affinity: {idle: 5s, prefix4: 30}
    containers: [{name: every-1, address: 10.77.0.31, address6: "fd77::31"}]
`

const SMALL: TableSizes = { capacity: 24, probation: 48, flows: 16, fragments: 16 }
const TIGHT: TableSizes = { capacity: 3, probation: 8, flows: 4, fragments: 4 }
const ROOMY: TableSizes = { capacity: 4096, probation: 1024, flows: 1024, fragments: 1024 }

export const WORLDS: readonly World[] = [
  { name: 'ports and pins', config: parseConfig(PORTS_AND_PINS, 'ports.yaml'), sizes: ROOMY },
  { name: 'ports and pins, little room', config: parseConfig(PORTS_AND_PINS, 'ports.yaml'), sizes: SMALL },
  { name: 'shared endpoints', config: parseConfig(SHARED, 'shared.yaml'), sizes: ROOMY },
  { name: 'shared endpoints, little room', config: parseConfig(SHARED, 'shared.yaml'), sizes: TIGHT },
  { name: 'hairpin', config: parseConfig(HAIRPIN, 'hairpin.yaml'), sizes: ROOMY },
  { name: 'hairpin, little room', config: parseConfig(HAIRPIN, 'hairpin.yaml'), sizes: TIGHT },
  { name: 'empty services', config: parseConfig(EMPTY, 'empty.yaml'), sizes: ROOMY },
  { name: 'algorithms', config: parseConfig(ALGORITHMS, 'algorithms.yaml'), sizes: SMALL },
  {
    name: 'limits, little room',
    config: parseConfig(LIMITS, 'limits.yaml'),
    sizes: { ...TIGHT, capacity: 1 },
  },
]

type Compile = (stateOf?: (container: string) => ContainerState) => Snapshot

/** Snapshots of a world, one after another as a daemon makes them. */
export const snapshotsOf = (world: World): Compile => worldCompiler(world).compile

/** The same with the names of the numbers in them. */
export function worldCompiler({ config }: World): {
  readonly compile: Compile
  readonly identities: Identities
} {
  const identities = new Identities()
  const compiler = new Compiler(identities, Buffer.from(config.key!, 'hex'))
  const names = new Set(config.services.flatMap(({ containers }) => containers.map(({ name }) => name)))
  const compile: Compile = (stateOf = () => 'ready') =>
    compiler.compile(
      config,
      new Map(Array.from(names, (name) => [name, { state: stateOf(name), weight: undefined }])),
    )
  return { compile, identities }
}
