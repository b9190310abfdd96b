import { z } from 'zod'
import { type Address, formatAddress, isAddress4, type Prefix } from '../address.ts'
import { PrefixTable } from '../prefix-table.ts'
import { parseAddress, parsePrefix, unusableKind } from './address.ts'
import { parseDurationUs } from './duration.ts'
import { DOCKER_SOCKET, type SourceConfig, socketPath, sourceSchema } from './sources.ts'
import { integer, list, mapping, name, oneOf, port, text, Unfit } from './values.ts'

/** A whole configuration after validation: every default filled in, every address in its one form. */
export interface Config {
  readonly version: 1
  readonly interfaces: InterfacesConfig
  /** 16 bytes as 32 hex digits; undefined: the daemon makes one on first use and keeps it (see daemon.ts). */
  readonly key: string | undefined
  /** What other ports of a public address get: a TCP RST or ICMP unreachable, or silence. */
  readonly unserved: 'reject' | 'drop'
  /** Undefined: off. */
  readonly hairpin: HairpinConfig | undefined
  readonly table: TableConfig
  /** The folder that keeps the table, absolute; undefined: one of the daemon's own state directory. */
  readonly store?: string | 'off' | undefined
  readonly dataplane: DataPlaneConfig
  /** Where metrics are served; undefined: nowhere. */
  readonly metrics: ListenConfig | undefined
  /** Serve what containers' labels describe; undefined: do not look at them. */
  readonly docker: { readonly socket: string } | undefined
  readonly services: readonly ServiceConfig[]
}

export interface InterfacesConfig {
  readonly tun: string
  /** Those that a source names come to them. */
  readonly bridges: readonly string[]
  /** Empty: the interfaces of the default routes, looked up at start. */
  readonly uplinks: readonly string[]
}

/** How containers and the host itself call public addresses: src/pipeline/hairpin.ts. */
export interface HairpinConfig {
  readonly alias4: Prefix
  readonly alias6: Prefix
  /** Who is local. Undefined: the bridges' networks and the host's own addresses, read when they are needed. */
  readonly sources: readonly Prefix[] | undefined
}

export interface TableConfig {
  /** Entries at most; new sources beyond it stay on probation. */
  readonly capacity: number
  /** Places on probation, rounded up to a power of two. */
  readonly probation: number
  /** Flows remembered for endpoints that several public addresses or ports share, rounded up likewise. */
  readonly flows: number
  /** Fragmented packets remembered until their last fragment, rounded up likewise. */
  readonly fragments: number
}

export interface ListenConfig {
  /** As people write it: `127.0.0.1`, `::1`. */
  readonly host: string
  readonly port: number
}

export interface DataPlaneConfig {
  /** TUN queues, one thread each. */
  readonly queues: number
  /** How long a thread looks again before it sleeps, in microseconds. */
  readonly spinUs: number
  /** Whether known sources' packets are handled in the kernel: where that works, not at all, or else no start. */
  readonly fastpath: 'auto' | 'off' | 'require'
}

export interface ServiceConfig {
  readonly name: string
  readonly addresses: readonly Address[]
  readonly ports: readonly PortRule[] | 'all'
  readonly containers: readonly ContainerConfig[]
  /** Who says what the containers are, in the place of the config. */
  readonly source?: SourceConfig | undefined
  readonly algorithm: Algorithm
  readonly affinity: AffinityConfig
  /** How containers are checked; undefined: each is taken to be up. */
  readonly health?: HealthConfig | undefined
  /** How long a container's share of new sources grows after it has become ready; undefined: it is whole at once. */
  readonly slowStartMs?: number | undefined
  /** No container's part of the new sources is above this, from 0 to 1; undefined: no bound. */
  readonly maximumShare?: number | undefined
  readonly pins: readonly PinConfig[]
  /** More of them, from a file; undefined: there is none. */
  readonly pinFile?: PinFile | undefined
  /** Sources remembered at most; undefined: as many as the table has room for. */
  readonly quota?: number | undefined
  /** What a client gets when no container can take it. */
  readonly empty: 'reject' | 'drop'
  /** What makes a packet from a container an answer: its endpoint, or a flow remembered there. */
  readonly replies: 'endpoint' | 'flow'
}

/** How a container is chosen for a source that nobody knows. */
export const ALGORITHMS = ['maglev', 'weighted-round-robin', 'least-sources', 'random-two'] as const
export type Algorithm = (typeof ALGORITHMS)[number]

/** `80/tcp->8080`: the public port, the protocol and the container's port. */
export interface PortRule {
  readonly port: number
  readonly protocol: Protocol | 'any'
  readonly target: number
}

export type Protocol = 'tcp' | 'udp'

/** `any` is every protocol that has ports. */
export const protocolsOf = ({ protocol }: PortRule): readonly Protocol[] =>
  protocol === 'any' ? ['tcp', 'udp'] : [protocol]

export interface ContainerConfig {
  readonly name: string
  readonly address: Address | undefined
  readonly address6: Address | undefined
  /** Set when this container listens on another port than the rule's target; 1–65535. */
  readonly port: number | undefined
  /** 0–256; 0 takes no new sources. */
  readonly weight: number
}

/** A check of each of a service's containers, at the container's own address. */
export interface HealthConfig {
  readonly asks: HealthQuestion
  readonly intervalMs: number
  readonly timeoutMs: number
  /** Passes in a row that turn it up, failures in a row that turn it down. */
  readonly rise: number
  readonly fall: number
  /** Each wait differs from the interval by up to this share of it, so that checks that began together drift apart. */
  readonly jitter: number
}

/** `port`, undefined: the container's end of the service's first port of the protocol. */
export type HealthQuestion =
  | { readonly type: 'tcp'; readonly port: number | undefined }
  | {
      readonly type: 'http' | 'https'
      readonly port: number | undefined
      readonly path: string
      /** The only HTTP status that passes; undefined: 200 to 399. */
      readonly status: number | undefined
      /** For the Host header and the TLS server name; undefined: the container's address. */
      readonly hostName: string | undefined
    }
  | {
      readonly type: 'udp'
      readonly port: number | undefined
      /** Characters U+0000 to U+00FF, a byte each. */
      readonly send: string
      readonly expect: string
    }
  | { readonly type: 'icmp' }

export interface AffinityConfig {
  readonly scope: 'service' | 'group' | 'address'
  /** The group's name when scope is `group`. */
  readonly group: string | undefined
  readonly prefix4: number
  readonly prefix6: number
  readonly idleSeconds: number
}

export interface PinConfig {
  readonly source: Prefix
  /** One, or several that share the sources. */
  readonly containers: readonly string[]
}

/** What `pinsFrom` names: src/config/pin-file.ts. */
export interface PinFile {
  /** As it is written in the config. */
  readonly name: string
  /** Empty until it has been read. */
  readonly table: PrefixTable
  /** By the table's numbers. */
  readonly sets: readonly (readonly string[])[]
}

/**
 * From here on: the schema that turns plain values into the types above, defaults filled in. What a value
 * should have been is its schema's error message; src/config/validate.ts adds the place and the value. Rules
 * that need more than one value at once are in src/config/rules.ts.
 */

export const CONFIG_DEFAULTS = {
  tun: 'onehop0',
  queues: 1,
  spinUs: 50,
  capacity: 1_000_000,
  probation: 65_536,
  flows: 65_536,
  fragments: 16_384,
  idleSeconds: 3 * 3600,
  /**
   * Class E, "reserved for future use" since RFC 1112 section 4: no address of it was ever given out, routers on the way
   * drop it, and Linux forwards it like any other (net/ipv4/route.c has nothing against it). Its 28 bits keep 10/8,
   * 172.16/12 and 192.168/16 apart.
   */
  alias4: '240.0.0.0/4',
  /**
   * "Reserved by IETF" in IANA's IPv6 address space registry, as all but 2000::/3 and a few corners (RFC 4291 section 4);
   * Linux takes any first three bits but 000 and 111 for global unicast (__ipv6_addr_type). Its 125 bits keep every
   * address of 2000::/3 apart from every other and from fd00::/8.
   */
  alias6: '4000::/3',
} as const

const SECOND_US = 1_000_000

/** dev_valid_name() of the kernel, and no `%`: TUNSETIFF would put a number in its place. */
const interfaceName = text('an interface name: 1 to 15 bytes without space, "/", ":" or "%"', (value) => {
  const isValid =
    /^[^\s/:%\p{Cc}]+$/u.test(value) && Buffer.byteLength(value) <= 15 && value !== '.' && value !== '..'
  return isValid ? value : undefined
})

const usable = (address: Address | undefined): Address | undefined => {
  const kind = address === undefined ? undefined : unusableKind(address)
  if (kind !== undefined) throw new Unfit(`an address other than ${kind}`)
  return address
}

const anyAddress = text('an IPv4 or IPv6 address', (value) => usable(parseAddress(value)))

const address4 = text('an IPv4 address', (value) => {
  const address = usable(parseAddress(value))
  if (address !== undefined && !isAddress4(address))
    throw new Unfit('an IPv4 address (IPv6 goes to address6)')
  return address
})

const address6 = text('an IPv6 address', (value) => {
  const address = usable(parseAddress(value))
  if (address !== undefined && isAddress4(address)) throw new Unfit('an IPv6 address (IPv4 goes to address)')
  return address
})

const prefix = text(
  'an address or a prefix such as 198.51.100.0/24, no bits set after its length',
  parsePrefix,
)

const PORT_RULE =
  'PORT/tcp, PORT/udp or PORT/any, with ->TARGET where the container has another port (80/tcp->8080)'

/** `80/tcp`, `80/tcp->8080`; 'all' is let through for the list that it must stand alone in. */
const portRule = text(PORT_RULE, (value): PortRule | 'all' | undefined => {
  if (value === 'all') return value
  const [, port, protocol, target] = /^([0-9]{1,5})\/(tcp|udp|any)(?:->([0-9]{1,5}))?$/.exec(value) ?? []
  if (port === undefined || !isProtocol(protocol)) return undefined
  const rule = { port: Number(port), protocol, target: Number(target ?? port) } as const
  if (!isPort(rule.port) || !isPort(rule.target)) throw new Unfit('ports from 1 to 65535')
  return rule
})

const isProtocol = (text: string | undefined): text is PortRule['protocol'] =>
  text === 'tcp' || text === 'udp' || text === 'any'

const isPort = (port: number): boolean => port >= 1 && port <= 65_535

const PORTS = 'a list such as [80/tcp, 443/tcp], or all'

const ports = z
  .preprocess((value) => (value === 'all' ? ['all'] : value), list(portRule, PORTS).min(1, PORTS))
  .transform((rules, context): readonly PortRule[] | 'all' => {
    const some = rules.filter((rule) => rule !== 'all')
    if (some.length === rules.length) return some
    if (rules.length === 1) return 'all'
    context.issues.push({ code: 'custom', input: rules, message: 'either single ports or all' })
    return z.NEVER
  })

const idle = text('a time such as 3h, 30s or 1h30m, from 1s to 365d', (value) => {
  const us = parseDurationUs(value)
  const isFit = us !== undefined && us >= SECOND_US && us <= 365 * 86_400 * SECOND_US && us % SECOND_US === 0
  return isFit ? us / SECOND_US : undefined
})

const MOST_SPIN_US = 10_000

const spin = z.preprocess(
  (value) => (value === 0 || value === '0' ? '0us' : value),
  text('a time such as 50us, at most 10ms, or 0 for none', (value) => {
    const us = parseDurationUs(value)
    return us !== undefined && us <= MOST_SPIN_US ? us : undefined
  }),
)

/** Any address that this host can have, `0.0.0.0` and loopback too: it is for us and not for clients. */
const listen = text(
  'an address and a port such as 127.0.0.1:9464 or [::1]:9464',
  (value): ListenConfig | undefined => {
    const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})$/.exec(value) ?? []
    const address = parseAddress(bracketed ?? plain ?? '')
    if (address === undefined || isAddress4(address) !== (plain !== undefined)) return undefined
    return isPort(Number(port)) ? { host: formatAddress(address), port: Number(port) } : undefined
  },
)

const key = text('32 hexadecimal digits in quotes', (value) =>
  /^[0-9a-fA-F]{32}$/.test(value) ? value.toLowerCase() : undefined,
)

const interfaces = mapping({
  tun: interfaceName.prefault(CONFIG_DEFAULTS.tun),
  bridges: list(interfaceName, 'a list such as [br0]').default([]),
  uplinks: list(interfaceName, 'a list such as [eth0]').default([]),
})

const MOST_ENTRIES = 2 ** 27
const aliasPrefix = (family: 4 | 6) =>
  text(`an IPv${family} prefix such as ${CONFIG_DEFAULTS[`alias${family}`]}`, (value) => {
    const parsed = parsePrefix(value)
    if (parsed === undefined || isAddress4(parsed.address) !== (family === 4)) return undefined
    usable(parsed.address)
    return parsed
  })

const MOST_SOURCES = 4096
const SOURCES = `a list such as [10.77.0.0/16, "fd77::/64"], at most ${MOST_SOURCES}`

const hairpin = z.preprocess(
  (value) => (value === 'off' ? undefined : value),
  mapping(
    {
      alias4: aliasPrefix(4).prefault(CONFIG_DEFAULTS.alias4),
      alias6: aliasPrefix(6).prefault(CONFIG_DEFAULTS.alias6),
      sources: list(prefix, SOURCES).max(MOST_SOURCES, SOURCES).optional(),
    },
    'off, or ',
  )
    .transform(({ alias4, alias6, sources }): HairpinConfig => ({ alias4, alias6, sources }))
    .optional(),
)

const table = mapping({
  capacity: integer(1, MOST_ENTRIES).default(CONFIG_DEFAULTS.capacity),
  probation: integer(1, 2 ** 24).default(CONFIG_DEFAULTS.probation),
  flows: integer(1, 2 ** 24).default(CONFIG_DEFAULTS.flows),
  fragments: integer(1, 2 ** 24).default(CONFIG_DEFAULTS.fragments),
})

const store = text('an absolute path, or off', (value) =>
  value === 'off' || (/^\/[^\0]+$/.test(value) && Buffer.byteLength(value) < 4_000) ? value : undefined,
)

const dataplane = mapping({
  queues: integer(1, 16).default(CONFIG_DEFAULTS.queues),
  spin: spin.prefault(`${CONFIG_DEFAULTS.spinUs}us`),
  fastpath: oneOf('auto', 'off', 'require').default('auto'),
}).transform(({ queues, spin: spinUs, fastpath }): DataPlaneConfig => ({ queues, spinUs, fastpath }))

const container = mapping({
  name,
  address: address4.optional(),
  address6: address6.optional(),
  port: port.optional(),
  weight: integer(0, 256).default(1),
}).transform(
  (given): ContainerConfig => ({
    name: given.name,
    address: given.address,
    address6: given.address6,
    port: given.port,
    weight: given.weight,
  }),
)

const affinity = mapping({
  scope: oneOf('service', 'group', 'address').default('service'),
  group: name.optional(),
  prefix4: integer(1, 32).default(32),
  prefix6: integer(1, 128).default(128),
  idle: idle.prefault(`${CONFIG_DEFAULTS.idleSeconds}s`),
}).transform(
  ({ idle: idleSeconds, ...given }): AffinityConfig => ({
    scope: given.scope,
    group: given.group,
    prefix4: given.prefix4,
    prefix6: given.prefix6,
    idleSeconds,
  }),
)

const CHECK_TIME = 'a time such as 500ms, 2s or 1m, from 10ms to 1h'

const checkTime = text(CHECK_TIME, (value) => {
  const us = parseDurationUs(value)
  const isFit = us !== undefined && us >= 10_000 && us <= 3_600 * SECOND_US
  return isFit ? us / 1_000 : undefined
})

const httpPath = text('a path such as /healthz: "/" and printable ASCII without spaces', (value) =>
  /^\/[\x21-\x7e]{0,1023}$/.test(value) ? value : undefined,
)

const byteText = text(
  'a text of characters up to U+00FF, a byte each, 512 at most ("\\x00" is a zero)',
  (value) => (/^[\0-\xff]{0,512}$/.test(value) ? value : undefined),
)

const hostName = text('a host name such as www.example.com', (value) =>
  /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]*[A-Za-z0-9_])?)*$/.test(
    value,
  )
    ? value
    : undefined,
)

const percent = (least: number, most: number) =>
  text(`a share such as 10%, from ${least}% to ${most}%`, (value) => {
    const [, digits] = /^([0-9]{1,3})%$/.exec(value) ?? []
    const share = Number(digits)
    return share >= least && share <= most ? share / 100 : undefined
  })

const healthPort = port.optional()

const healthTimes = {
  interval: checkTime.prefault('5s'),
  timeout: checkTime.prefault('2s'),
  rise: integer(1, 100).default(2),
  fall: integer(1, 100).default(3),
  jitter: percent(0, 50).prefault('10%'),
}

const httpHealth = <const Type extends string>(type: Type) =>
  mapping({
    type: z.literal(type),
    port: healthPort,
    path: httpPath.prefault('/'),
    status: integer(200, 599).optional(),
    host: hostName.optional(),
    ...healthTimes,
  })

const HEALTH_TYPES = 'tcp or http or https or udp or icmp'

const health = z
  .discriminatedUnion(
    'type',
    [
      mapping({ type: z.literal('tcp'), port: healthPort, ...healthTimes }),
      httpHealth('http'),
      httpHealth('https'),
      mapping({
        type: z.literal('udp'),
        port: healthPort,
        send: byteText,
        expect: byteText.prefault(''),
        ...healthTimes,
      }),
      mapping({ type: z.literal('icmp'), ...healthTimes }),
    ],
    {
      error: ({ code }) =>
        code === 'invalid_union' ? HEALTH_TYPES : 'a mapping with type, interval, timeout, rise, fall',
    },
  )
  .transform(
    ({ interval: intervalMs, timeout: timeoutMs, rise, fall, jitter, ...given }): HealthConfig => ({
      asks: questionOf(given),
      intervalMs,
      timeoutMs,
      rise,
      fall,
      jitter,
    }),
  )

type GivenQuestion =
  | { type: 'tcp' | 'icmp'; port?: number | undefined }
  | {
      type: 'http' | 'https'
      port?: number | undefined
      path: string
      status?: number | undefined
      host?: string | undefined
    }
  | { type: 'udp'; port?: number | undefined; send: string; expect: string }

function questionOf(given: GivenQuestion): HealthQuestion {
  switch (given.type) {
    case 'icmp':
      return { type: given.type }
    case 'tcp':
      return { type: given.type, port: given.port }
    case 'udp':
      return { type: given.type, port: given.port, send: given.send, expect: given.expect }
    default: {
      const { type, port, path, status, host } = given
      return { type, port, path, status, hostName: host }
    }
  }
}

const pin = mapping({
  source: prefix,
  container: name.optional(),
  containers: list(name, 'a list such as [web-1, web-2]').min(1, 'at least one container').optional(),
}).transform(({ source, container: one, containers = [] }, context): PinConfig => {
  if ((one === undefined) === (containers.length === 0))
    context.issues.push({
      code: 'custom',
      input: source,
      message: 'either container or containers',
      path: ['container'],
    })
  return { source, containers: one === undefined ? containers : [one] }
})

const pinFile = text('a path, relative to the config', (value): PinFile | undefined =>
  value === '' ? undefined : { name: value, table: new PrefixTable(), sets: [] },
)

const slowStart = text('a time such as 30s or 5m, from 1s to 1h', (value) => {
  const us = parseDurationUs(value)
  const isFit = us !== undefined && us >= SECOND_US && us <= 3_600 * SECOND_US
  return isFit ? us / 1_000 : undefined
})

const CONTAINERS = 'a list such as [{name: web-1, address: 10.77.0.11}]'

/** A list, or who knows it. */
const containers = z.unknown().transform((value, context): Pick<ServiceConfig, 'containers' | 'source'> => {
  const isSource = typeof value === 'object' && value !== null && !Array.isArray(value)
  const parsed = isSource ? sourceSchema.safeParse(value) : list(container, CONTAINERS).safeParse(value)
  if (!parsed.success) {
    for (const issue of parsed.error.issues) context.issues.push({ ...issue, input: value } as never)
    return z.NEVER
  }
  return Array.isArray(parsed.data)
    ? { containers: parsed.data }
    : { containers: [], source: parsed.data as SourceConfig }
})

const ADDRESSES = 'a list such as [203.0.113.10, "2001:db8::10"]'

export const serviceSchema: z.ZodType<ServiceConfig> = mapping({
  name,
  addresses: list(anyAddress, ADDRESSES).min(1, 'at least one address'),
  ports,
  containers,
  algorithm: oneOf(...ALGORITHMS).default('maglev'),
  affinity: affinity.prefault({}),
  health: health.optional(),
  slowStart: slowStart.optional(),
  maximumShare: percent(1, 99).optional(),
  pins: list(pin, 'a list such as [{source: 198.51.100.0/24, container: web-1}]').default([]),
  pinsFrom: pinFile.optional(),
  quota: integer(1, MOST_ENTRIES).optional(),
  empty: oneOf('reject', 'drop').default('reject'),
  replies: oneOf('endpoint', 'flow').default('endpoint'),
}).transform(
  ({ containers: { containers, source }, slowStart: slowStartMs, pinsFrom, ...given }): ServiceConfig => ({
    ...given,
    containers,
    source,
    slowStartMs,
    pinFile: pinsFrom,
  }),
)

/** All but the services, which are validated one by one so that one bad service does not hide what is wrong in the rest. */
export const frameSchema = mapping({
  version: z.literal(1, '1'),
  interfaces: interfaces.prefault({}),
  key: key.optional(),
  unserved: oneOf('reject', 'drop').default('reject'),
  hairpin: hairpin.prefault({}),
  table: table.prefault({}),
  store: store.optional(),
  dataplane: dataplane.prefault({}),
  metrics: listen.optional(),
  docker: mapping({ socket: socketPath.prefault(DOCKER_SOCKET) }).optional(),
  services: list(z.unknown(), 'a list of services'),
})
