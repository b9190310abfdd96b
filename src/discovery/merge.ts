import { type Address, formatAddress, isAddress4 } from '../address.ts'
import { unusableKind } from '../config/address.ts'
import type { Config, ContainerConfig, ServiceConfig } from '../config/config.ts'
import { quoteValue } from '../config/issue.ts'
import { isName } from '../config/values.ts'
import { type State, worst } from '../containers/conditions.ts'
import type { Discovered } from './source.ts'

/** A config in which what is discovered stands as if it had been written there. */
export interface Merged {
  readonly config: Config
  /** Of containers that a source does not call ready: what one says against a container holds wherever it is listed. */
  readonly states: ReadonlyMap<string, State>
  /** What sources told that cannot stand beside the rest, and why, one line each. */
  readonly problems: readonly string[]
}

/** What sources say a service's containers are; undefined: the config says it. */
export type Lists = (service: ServiceConfig) => readonly Discovered[] | undefined

/** Containers in the order of their names, so that the same list gives the same config whatever order it came in. Pure. */
export function mergeDiscovered(config: Config, lists: Lists): Merged {
  const admission = new Admission(config)
  const services = config.services.map((service) => {
    const list = lists(service)
    return list === undefined ? service : admission.fill(service, list)
  })
  const { states, problems, bridges } = admission
  const interfaces = { ...config.interfaces, bridges: [...bridges] }
  return { config: { ...config, interfaces, services }, states, problems }
}

/** The rules of src/config/rules.ts for containers, where who breaks one is left out and the rest stands. */
class Admission {
  readonly states = new Map<string, State>()
  readonly problems: string[] = []
  readonly bridges: Set<string>
  readonly #publicAddresses: ReadonlySet<Address>
  /** Who has a name already. */
  readonly #named = new Map<string, Pick<ContainerConfig, 'address' | 'address6'>>()

  constructor({ interfaces, services }: Config) {
    this.bridges = new Set(interfaces.bridges)
    this.#publicAddresses = new Set(services.flatMap(({ addresses }) => addresses))
    for (const container of services.flatMap(({ containers }) => containers))
      this.#named.set(container.name, container)
  }

  fill(service: ServiceConfig, list: readonly Discovered[]): ServiceConfig {
    const ends = new Set<string>()
    const containers = list.toSorted(byName).flatMap((found) => {
      const problem = this.#problemOf(found, service, ends)
      if (problem !== undefined) {
        this.problems.push(`service "${service.name}": container ${quoteValue(found.name)}: ${problem}`)
        return []
      }
      return [this.#admit(found, ends)]
    })
    const known = new Set(containers.map(({ name }) => name))
    const pins = service.pins.filter((pin) => pin.containers.some((name) => known.has(name)))
    return { ...service, containers, pins }
  }

  #problemOf(found: Discovered, service: ServiceConfig, ends: ReadonlySet<string>): string | undefined {
    const { name, port } = found
    const addresses = addressesOf(found)
    const other = this.#named.get(name)
    if (!isName(name)) return 'expected a name of letters, digits and ._:/@-'
    if (!service.addresses.some((of) => addresses.some((own) => isAddress4(of) === isAddress4(own))))
      return `no address of its service's family; expected ${isAddress4(service.addresses[0]!) ? 'IPv4' : 'IPv6'}`
    const unusable = addresses.find((address) => unusableKind(address) !== undefined)
    if (unusable !== undefined) return `${formatAddress(unusable)} is ${unusableKind(unusable)}`
    const own = addresses.find((address) => this.#publicAddresses.has(address))
    if (own !== undefined) return `${formatAddress(own)} is also a public address`
    if (port !== undefined && (service.ports === 'all' || service.ports.length !== 1))
      return `port ${port}: which port it stands for is unclear; expected a service with exactly one`
    if (other !== undefined && (other.address !== found.address || other.address6 !== found.address6))
      return 'another container has its name and other addresses'
    if (endsOf(found).some((end) => ends.has(end))) return 'another container has its address and port'
    return undefined
  }

  #admit(found: Discovered, ends: Set<string>): ContainerConfig {
    const { name, address, address6, port, weight = 1, state, bridge } = found
    this.#named.set(name, { address, address6 })
    for (const end of endsOf(found)) ends.add(end)
    const standing = worst(this.states.get(name) ?? 'ready', state)
    if (standing !== 'ready') this.states.set(name, standing)
    if (bridge !== undefined) this.bridges.add(bridge)
    return { name, address, address6, port, weight }
  }
}

const byName = (a: Discovered, b: Discovered): number => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0)

const addressesOf = ({ address, address6 }: Discovered): readonly Address[] =>
  [address, address6].filter((one) => one !== undefined)

const endsOf = (found: Discovered): readonly string[] =>
  addressesOf(found).map((address) => `${address}/${found.port ?? ''}`)
