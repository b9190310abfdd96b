import type { Address } from '../address.ts'
import { parseAddress } from './address.ts'
import type { Config } from './config.ts'
import { configError, formatPath, type Issue, oneLine, type Path, quoteValue } from './issue.ts'
import { validateConfig } from './validate.ts'

/** The one-service case without a file: what the flags of `run` hold, as they were typed. */
export interface ServiceFlags {
  readonly tun?: string
  readonly bridge?: readonly string[]
  readonly uplink?: readonly string[]
  readonly name?: string
  /** `203.0.113.10:80/tcp`, `[2001:db8::10]:80/tcp->8080`, `203.0.113.10/all` */
  readonly service?: readonly string[]
  /** `web-1=10.77.0.11`, `web-1=10.77.0.11:8080`, `web-1=[fd77::11]:8080`; the same name again adds the other family */
  readonly container?: readonly string[]
  readonly queues?: string
  readonly spin?: string
  readonly metrics?: string
  readonly api?: string
  readonly apiTokenFile?: string
  readonly apiCert?: string
  readonly apiKey?: string
  /** True: --docker without a socket. */
  readonly docker?: string | true
  /** False: --no-hairpin. */
  readonly hairpin?: boolean
  readonly fastpath?: string
  readonly selfCheck?: string
}

/** A config from flags, through the same schema as a file's. Throws OnehopError E_CONFIG naming flag and value. */
export function configFromFlags(flags: ServiceFlags): Config {
  const draft = new Draft()
  const isByLabels = flags.docker !== undefined && !flags.service?.length && !flags.container?.length
  if (!isByLabels) requireService(flags, draft)
  const value = {
    version: 1,
    interfaces: readInterfaces(flags, draft),
    dataplane: readDataPlane(flags, draft),
    ...(flags.metrics === undefined ? {} : { metrics: draft.from('--metrics', ['metrics'], flags.metrics) }),
    ...(flags.api === undefined ? {} : { api: readApi(flags, draft) }),
    ...(flags.hairpin === false ? { hairpin: 'off' } : {}),
    ...(flags.docker === undefined ? {} : { docker: readDocker(flags.docker, draft) }),
    services: isByLabels ? [] : [readService(flags, draft)],
  }
  draft.throwIfRefused()
  const config = validateConfig(value)
  if (isConfig(config)) return config
  throw configError(config.map((issue) => draft.format(issue)))
}

function requireService({ service, bridge, container }: ServiceFlags, draft: Draft): void {
  if (!service?.length)
    draft.refuse('--service', 'missing; expected ADDRESS:PORT/tcp, or --docker, or --config FILE')
  if (!bridge?.length) draft.refuse('--bridge', "missing; expected the containers' bridge")
  if (!container?.length) draft.refuse('--container', `missing; ${CONTAINER}`)
}

const readDocker = (docker: string | true, draft: Draft): Record<string, unknown> =>
  docker === true ? {} : { socket: draft.from('--docker', ['docker', 'socket'], docker) }

/** A certificate without its key, or the other way round, is told by the schema. */
function readApi(
  { api, apiTokenFile, apiCert, apiKey }: ServiceFlags,
  draft: Draft,
): Record<string, unknown> {
  const tls = {
    cert: draft.from('--api-cert', ['api', 'tls', 'cert'], apiCert),
    key: draft.from('--api-key', ['api', 'tls', 'key'], apiKey),
  }
  return {
    listen: draft.from('--api', ['api', 'listen'], api),
    tokenFile: draft.from('--api-token-file', ['api', 'tokenFile'], apiTokenFile),
    ...(apiCert === undefined && apiKey === undefined ? {} : { tls }),
  }
}

const isConfig = (config: Config | readonly Issue[]): config is Config => !Array.isArray(config)

/** Remembers which flag each value came from, so that the schema's errors can name it. */
class Draft {
  readonly #flags = new Map<string, string>()
  readonly #refused: string[] = []

  from<T>(flag: string, path: Path, value: T): T {
    this.#flags.set(formatPath(path), flag)
    return value
  }

  refuse(flag: string, message: string): void {
    this.#refused.push(`${flag}: ${message}`)
  }

  throwIfRefused(): void {
    if (this.#refused.length > 0) throw configError(this.#refused)
  }

  format({ path, message }: Issue): string {
    for (let length = path.length; length > 0; length--) {
      const flag = this.#flags.get(formatPath(path.slice(0, length)))
      if (flag !== undefined) return `${flag}: ${this.#withFlags(message)}`
    }
    return this.#withFlags(message)
  }

  /** Rules name the other place by its path; a person who typed flags knows only those. */
  #withFlags(message: string): string {
    return message.replace(/first at ([\w.[\]]+)$/, (text, path: string) => {
      const flag = this.#flags.get(path)
      return flag === undefined ? text : `first in ${flag}`
    })
  }
}

function readInterfaces(flags: ServiceFlags, draft: Draft): Record<string, unknown> {
  const names = (kind: 'bridge' | 'uplink') =>
    (flags[kind] ?? []).map((name, i) => draft.from(`--${kind}`, ['interfaces', `${kind}s`, i], name))
  const tun = draft.from('--tun', ['interfaces', 'tun'], flags.tun)
  return { ...(tun === undefined ? {} : { tun }), bridges: names('bridge'), uplinks: names('uplink') }
}

function readDataPlane(flags: ServiceFlags, draft: Draft): Record<string, unknown> {
  const value: Record<string, unknown> = {}
  const number = (text: string) => (/^[0-9]{1,10}$/.test(text) ? Number(text) : text)
  if (flags.queues !== undefined)
    value.queues = draft.from('--queues', ['dataplane', 'queues'], number(flags.queues))
  if (flags.spin !== undefined) value.spin = draft.from('--spin', ['dataplane', 'spin'], flags.spin)
  if (flags.fastpath !== undefined)
    value.fastpath = draft.from('--fastpath', ['dataplane', 'fastpath'], flags.fastpath)
  if (flags.selfCheck !== undefined)
    value.selfCheck = draft.from('--self-check', ['dataplane', 'selfCheck'], number(flags.selfCheck))
  return value
}

const SERVICE = ['services', 0] as const

function readService(flags: ServiceFlags, draft: Draft): Record<string, unknown> {
  const fronts = (flags.service ?? []).flatMap((text) => readFront(text, draft))
  const byAddress = [...groupBy(fronts, ({ address }) => address).values()]
  checkSamePorts(byAddress, draft)
  draft.from(fronts[0]?.flag ?? '--service', [...SERVICE, 'ports'], undefined)
  return {
    name: draft.from('--name', [...SERVICE, 'name'], flags.name ?? 'service'),
    addresses: byAddress.map((same, i) =>
      draft.from(same[0]!.flag, [...SERVICE, 'addresses', i], same[0]!.addressText),
    ),
    ports: (byAddress[0] ?? []).map(({ flag, rule }, i) => draft.from(flag, [...SERVICE, 'ports', i], rule)),
    containers: readContainers(flags, draft),
  }
}

interface FrontFlag {
  readonly flag: string
  readonly addressText: string
  readonly address: Address
  /** `80/tcp->8080` or `all` */
  readonly rule: string
}

const FRONT = 'expected ADDRESS:PORT/tcp, [ADDRESS6]:PORT/udp or ADDRESS/all (ADDRESS:80/tcp->8080 to map)'

function readFront(text: string, draft: Draft): FrontFlag[] {
  const every = /^(?:\[([^\]]*)\]|([^/[\]]+))\/all$/.exec(text)
  const single = /^(?:\[([^\]]*)\]|([^:/[\]]+)):([^:/[\]]+\/.*)$/.exec(text)
  const addressText = every?.[1] ?? every?.[2] ?? single?.[1] ?? single?.[2]
  const address = addressText === undefined ? undefined : parseAddress(addressText)
  if (addressText === undefined || address === undefined) {
    const wrong = addressText === undefined ? '' : ` ("${addressText}" is no address)`
    draft.refuse(`--service ${quoteValue(text)}`, FRONT + wrong)
    return []
  }
  return [{ flag: `--service ${oneLine(text)}`, addressText, address, rule: every ? 'all' : single![3]! }]
}

/** A service has the same ports on all its addresses; flags that say otherwise would quietly serve more than they name. */
function checkSamePorts(byAddress: readonly (readonly FrontFlag[])[], draft: Draft): void {
  const portsOf = (same: readonly FrontFlag[]) =>
    same
      .map(({ rule }) => rule)
      .sort()
      .join(', ')
  for (const same of byAddress) {
    const first = byAddress[0]!
    if (portsOf(same) === portsOf(first)) continue
    const difference = `${same[0]!.addressText} has ${portsOf(same)}, ${first[0]!.addressText} has ${portsOf(first)}`
    draft.refuse(
      same[0]!.flag,
      `${difference}; expected the same ports on every address (several services need --config FILE)`,
    )
  }
}

const CONTAINER = 'expected NAME=ADDRESS, NAME=ADDRESS:PORT or NAME=[ADDRESS6]:PORT'

interface ContainerFlag {
  readonly name: string
  readonly flag: string
  readonly addressText: string
  readonly family: 'address' | 'address6'
  readonly port: number | undefined
}

function readContainers(flags: ServiceFlags, draft: Draft): Record<string, unknown>[] {
  const given = (flags.container ?? []).flatMap((text) => readContainer(text, draft))
  return [...groupBy(given, ({ name }) => name).values()].map((parts, i) => joinContainer(parts, i, draft))
}

function readContainer(text: string, draft: Draft): ContainerFlag[] {
  const flag = `--container ${oneLine(text)}`
  const [, name, bare6, bracketed, plain, portText] =
    /^([^=]+)=(?:([0-9a-fA-F]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)|(?:\[([^\]]*)\]|([^:[\]]+))(?::([0-9]{1,5}))?)$/.exec(
      text,
    ) ?? []
  const addressText = bare6 ?? bracketed ?? plain
  const address = addressText === undefined ? undefined : parseAddress(addressText)
  if (name === undefined || addressText === undefined || address === undefined) {
    draft.refuse(`--container ${quoteValue(text)}`, CONTAINER)
    return []
  }
  const family = address.length === 8 ? 'address' : 'address6'
  return [{ name, flag, addressText, family, port: portText === undefined ? undefined : Number(portText) }]
}

function joinContainer(parts: readonly ContainerFlag[], i: number, draft: Draft): Record<string, unknown> {
  const path = [...SERVICE, 'containers', i]
  const first = parts[0]!
  const container: Record<string, unknown> = { name: draft.from(first.flag, [...path, 'name'], first.name) }
  draft.from(first.flag, path, undefined)
  for (const { flag, family, addressText, port } of parts) {
    if (container[family] !== undefined)
      draft.refuse(flag, `container "${first.name}" has that family's address already: ${container[family]}`)
    if (port !== first.port)
      draft.refuse(
        flag,
        `container "${first.name}" has port ${first.port ?? 'none'} in ${first.flag}; expected the same`,
      )
    container[family] = draft.from(flag, [...path, family], addressText)
  }
  if (first.port !== undefined) container.port = draft.from(first.flag, [...path, 'port'], first.port)
  return container
}

/** In the order of each key's first item. */
function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const group = groups.get(keyOf(item))
    if (group === undefined) groups.set(keyOf(item), [item])
    else group.push(item)
  }
  return groups
}
