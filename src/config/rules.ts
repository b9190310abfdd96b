import { type Address, covers, formatAddress, formatPrefix, isAddress4 } from '../address.ts'
import {
  type Config,
  type ContainerConfig,
  type HairpinConfig,
  type InterfacesConfig,
  type PinConfig,
  type PortRule,
  protocolsOf,
  type ServiceConfig,
} from './config.ts'
import { aliasOf, aliasProblems } from './hairpin.ts'
import { healthPortOf } from './health.ts'
import { formatPath, type Issue, type Path } from './issue.ts'

export interface PlacedService {
  readonly path: Path
  readonly service: ServiceConfig
}

type Frame = Pick<Config, 'interfaces' | 'hairpin'> & { readonly docker?: Config['docker'] }

/** What must hold between values that are each well formed. Every rule is one pass: 10,000 services are usual. */
export function checkRules(services: readonly PlacedService[], frame: Frame | undefined): readonly Issue[] {
  return [
    ...(frame ? checkInterfaces(frame.interfaces) : []),
    ...(frame ? checkBridges(frame, services) : []),
    ...(frame?.hairpin ? checkHairpin(frame.hairpin, services) : []),
    ...checkUnique(services.map(({ path, service }) => ({ path: [...path, 'name'], key: service.name }))),
    ...services.flatMap(checkService),
    ...checkFronts(services),
    ...checkScopes(services),
    ...checkContainerAddresses(services),
    ...checkPublicAddresses(services),
  ]
}

interface Keyed {
  readonly path: Path
  readonly key: string
}

const issue = (path: Path, message: string): Issue => ({ path, at: 'value', message })

/** Each key once; `show` is how the error names it. */
function* checkUnique(items: readonly Keyed[], show = (key: string) => `"${key}"`): Iterable<Issue> {
  const first = new Map<string, Path>()
  for (const { path, key } of items) {
    const other = first.get(key)
    if (other === undefined) first.set(key, path)
    else yield issue(path, `${show(key)} given twice, first at ${formatPath(other)}`)
  }
}

function checkInterfaces({ tun, bridges, uplinks }: InterfacesConfig): Issue[] {
  const keyed = (kind: 'bridges' | 'uplinks', names: readonly string[]) =>
    names.map((key, i) => ({ path: ['interfaces', kind, i], key }))
  const own = { path: ['interfaces', 'tun'], key: tun }
  // A bridge may well be an uplink (its port is the network card), but neither is the TUN.
  return [
    ...checkUnique([own, ...keyed('bridges', bridges)]),
    ...checkUnique([own, ...keyed('uplinks', uplinks)]),
  ]
}

/** Docker names the bridges of its containers; nobody else does. */
function checkBridges({ interfaces, docker }: Frame, services: readonly PlacedService[]): Issue[] {
  if (interfaces.bridges.length > 0 || docker !== undefined) return []
  if (services.length > 0 && services.every(({ service }) => service.source?.kind === 'docker')) return []
  return [issue(['interfaces', 'bridges'], 'none; expected at least one bridge')]
}

function checkService({ path, service }: PlacedService): Issue[] {
  const { addresses, containers, pins } = service
  const at = (kind: string) => (_: unknown, i: number) => [...path, kind, i]
  return [
    ...checkUnique(
      addresses.map((key, i) => ({ path: at('addresses')(key, i), key })),
      showAddress,
    ),
    ...checkUnique(
      containers.map(({ name }, i) => ({ path: [...path, 'containers', i, 'name'], key: name })),
    ),
    ...containers.flatMap((container, i) => checkContainer(container, service, [...path, 'containers', i])),
    ...checkEndpoints(service, path),
    ...checkAffinity(service, path),
    ...checkHealth(service, path),
    ...checkSource(service, path),
    ...checkUnique(
      pins.map(({ source }, i) => ({
        path: [...path, 'pins', i, 'source'],
        key: `${formatAddress(source.address)}/${source.length}`,
      })),
    ),
    ...checkPinned(service, path),
  ]
}

const showAddress = (key: string): string => formatAddress(key as Address)

function checkContainer(container: ContainerConfig, service: ServiceConfig, path: Path): Issue[] {
  const issues: Issue[] = []
  const { address, address6 } = container
  if (address === undefined && address6 === undefined)
    issues.push(
      issue(path, `container "${container.name}" has no address; expected address, address6 or both`),
    )
  else if (!service.addresses.some((of) => (isAddress4(of) ? address : address6) !== undefined)) {
    const wanted = isAddress4(service.addresses[0]!) ? 'address (IPv4)' : 'address6 (IPv6)'
    const message = `container "${container.name}" has no address of its service's family; expected ${wanted}`
    issues.push(issue(path, message))
  }
  if (container.port !== undefined && (service.ports === 'all' || service.ports.length !== 1))
    issues.push(
      issue(
        [...path, 'port'],
        `${container.port}: which port it stands for is unclear; expected port only where the service has exactly one`,
      ),
    )
  return issues
}

/** Two containers of a service on one address and port: an answer could not be told from the other's. */
function checkEndpoints({ ports, containers }: ServiceConfig, path: Path): Iterable<Issue> {
  const target = (container: ContainerConfig) =>
    ports === 'all' ? 0 : (container.port ?? (ports.length === 1 ? ports[0]!.target : 0))
  const ends = containers.flatMap((container, i) =>
    (['address', 'address6'] as const).flatMap((kind) => {
      const address = container[kind]
      if (address === undefined) return []
      return [{ path: [...path, 'containers', i, kind], key: `${address}/${target(container)}` }]
    }),
  )
  return checkUnique(ends, (key) => `${showAddress(key.split('/')[0]!)} with the same port`)
}

function checkAffinity({ affinity }: ServiceConfig, path: Path): Issue[] {
  const place = [...path, 'affinity']
  if (affinity.scope === 'group' && affinity.group === undefined)
    return [issue([...place, 'scope'], 'scope group without a group; expected group: NAME beside it')]
  if (affinity.scope !== 'group' && affinity.group !== undefined)
    return [issue([...place, 'group'], `"${affinity.group}" without scope group; expected scope: group`)]
  return []
}

function checkHealth(service: ServiceConfig, path: Path): Issue[] {
  const { health } = service
  if (health === undefined || health.asks.type === 'icmp' || healthPortOf(service, undefined) !== undefined)
    return []
  const protocol = health.asks.type === 'udp' ? 'UDP' : 'TCP'
  return [
    issue([...path, 'health'], `no port to check; expected port, for the service has no ${protocol} port`),
  ]
}

/** What a source says of ports must fit the service, or none of its containers ever would. */
function checkSource({ source, ports }: ServiceConfig, path: Path): Issue[] {
  if (source === undefined || (ports !== 'all' && ports.length === 1)) return []
  const place = [...path, 'containers', source.kind]
  if (source.kind === 'dns' && source.type === 'SRV')
    return [issue([...place, 'type'], 'SRV records have one port; expected a service that has exactly one')]
  if (source.port === undefined) return []
  const message = `${source.port}: which port it stands for is unclear; expected port only where the service has exactly one`
  return [issue([...place, 'port'], message)]
}

/** Which containers a source will name, nobody knows yet. */
function checkPinned({ pins, containers, name, source }: ServiceConfig, path: Path): Issue[] {
  if (source !== undefined) return []
  const known = new Set(containers.map((container) => container.name))
  return pins.flatMap((pin, i) =>
    pin.containers
      .filter((container) => !known.has(container))
      .map((container) =>
        issue(
          [...path, 'pins', i, ...placeOf(container, pin)],
          `"${container}" is no container of service "${name}"`,
        ),
      ),
  )
}

const placeOf = (container: string, { containers }: PinConfig): Path =>
  containers.length === 1 ? ['container'] : ['containers', containers.indexOf(container)]

/** One address, protocol and port leads to one service. `all` beside single ports is fine: the port wins. */
function checkFronts(services: readonly PlacedService[]): Iterable<Issue> {
  const fronts = services.flatMap(({ path, service: { addresses, ports } }) =>
    [...new Set(addresses)].flatMap((address) => frontsOf(address, ports, path)),
  )
  return checkUnique(fronts, (key) => key)
}

function frontsOf(address: Address, ports: readonly PortRule[] | 'all', path: Path): Keyed[] {
  const shown = isAddress4(address) ? formatAddress(address) : `[${formatAddress(address)}]`
  if (ports === 'all') return [{ path: [...path, 'ports'], key: `${shown}/all` }]
  return ports.flatMap((rule, i) =>
    protocolsOf(rule).map((protocol) => ({
      path: [...path, 'ports', i],
      key: `${shown}:${rule.port}/${protocol}`,
    })),
  )
}

/** Who shares entries must remember sources alike: a client of one prefix length is not the prefix of another. */
function* checkScopes(services: readonly PlacedService[]): Iterable<Issue> {
  const first = new Map<string, { length: number; path: Path }>()
  for (const { path, service } of services)
    for (const { scope, family } of scopesOf(service)) {
      const place = [...path, 'affinity', family]
      const length = service.affinity[family]
      const other = first.get(`${scope} ${family}`)
      if (other === undefined) first.set(`${scope} ${family}`, { length, path: place })
      else if (other.length !== length)
        yield issue(
          place,
          `${length}, but ${other.length} at ${formatPath(other.path)}, and both share entries by ${scope}; expected the same`,
        )
    }
}

type PrefixKey = 'prefix4' | 'prefix6'

/** Of those scopes that several services may share. */
function scopesOf({ addresses, affinity }: ServiceConfig): { scope: string; family: PrefixKey }[] {
  switch (affinity.scope) {
    case 'service':
      return []
    case 'group':
      return (['prefix4', 'prefix6'] as const).map((family) => ({
        scope: `group "${affinity.group}"`,
        family,
      }))
    case 'address':
      return addresses.map((address) => ({
        scope: `address ${formatAddress(address)}`,
        family: isAddress4(address) ? 'prefix4' : 'prefix6',
      }))
  }
}

/** A container's name stands for one container everywhere, so it has one set of addresses. */
function* checkContainerAddresses(services: readonly PlacedService[]): Iterable<Issue> {
  const first = new Map<string, { container: ContainerConfig; path: Path }>()
  for (const { path, service } of services)
    for (const [i, container] of service.containers.entries()) {
      const place = [...path, 'containers', i]
      const other = first.get(container.name)
      if (other === undefined) first.set(container.name, { container, path: place })
      else if (other.path[1] !== place[1] && !hasSameAddresses(container, other.container))
        yield issue(place, `container "${container.name}" has other addresses at ${formatPath(other.path)}`)
    }
}

const hasSameAddresses = (a: ContainerConfig, b: ContainerConfig): boolean =>
  a.address === b.address && a.address6 === b.address6

/** A public address that a container has too would route its own traffic in a circle. */
function* checkPublicAddresses(services: readonly PlacedService[]): Iterable<Issue> {
  const owners = new Map<Address, string>()
  for (const { service } of services)
    for (const { name, address, address6 } of service.containers)
      for (const own of [address, address6]) if (own !== undefined) owners.set(own, name)
  for (const { path, service } of services)
    for (const [i, address] of service.addresses.entries()) {
      const owner = owners.get(address)
      if (owner !== undefined)
        yield issue(
          [...path, 'addresses', i],
          `${formatAddress(address)} is also container "${owner}"'s address`,
        )
    }
}

/** Local sources have one alias each, and nobody else has any of them. */
function checkHairpin(hairpin: HairpinConfig, services: readonly PlacedService[]): Issue[] {
  const { sources = [] } = hairpin
  const problems = aliasProblems(hairpin, sources)
  return [
    ...problems.map(({ source, message }) => issue(['hairpin', 'sources', sources.indexOf(source)], message)),
    ...services.flatMap(({ path, service }) =>
      addressesOf(service).flatMap(({ place, address }) => {
        const alias = aliasOf(hairpin, { address })
        const message = `${formatAddress(address)} is within ${alias.key} ${formatPrefix(alias)}; expected another address, or another alias prefix`
        return covers(alias, address) ? [issue([...path, ...place], message)] : []
      }),
    ),
  ]
}

const addressesOf = ({ addresses, containers }: ServiceConfig): { place: Path; address: Address }[] => [
  ...addresses.map((address, i) => ({ place: ['addresses', i], address })),
  ...containers.flatMap((container, i) =>
    (['address', 'address6'] as const).flatMap((family) => {
      const address = container[family]
      return address === undefined ? [] : [{ place: ['containers', i, family], address }]
    }),
  ),
]
