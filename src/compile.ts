import { type Address, distinctPrefixes, type Prefix } from './address.ts'
import { type Config, protocolsOf, type ServiceConfig } from './config/schema.ts'
import { TCP } from './packet/tcp.ts'
import { UDP } from './packet/udp.ts'
import type { Identities } from './pipeline/identities.ts'
import type {
  ContainerState,
  Front,
  Snapshot,
  SnapshotContainer,
  SnapshotService,
} from './pipeline/snapshot.ts'
import { scopeName } from './scope.ts'
import { Rings } from './table/rings.ts'

const PROTOCOL_NUMBERS = { tcp: TCP.protocol, udp: UDP.protocol } as const

type StateOf = (container: string) => ContainerState

/**
 * Compiles a config and the containers' states into a snapshot. Pure but for `identities`, which learns the
 * names it has not seen, and `rings`, which keeps what the next snapshot needs not build; `key`, theirs too, is 16 bytes.
 * `sources` are the local ones (config/hairpin.ts), checked.
 */
export function compileSnapshot(
  config: Config,
  identities: Identities,
  key: Uint8Array,
  stateOf: StateOf = () => 'ready',
  rings = new Rings(key),
  sources: readonly Prefix[] = config.hairpin?.sources ?? [],
): Snapshot {
  const containers = new Map<number, SnapshotContainer>()
  for (const service of config.services)
    for (const container of service.containers) {
      const id = identities.container(container.name)
      containers.set(id, {
        id,
        name: container.name,
        address4: container.address,
        address6: container.address6,
        state: stateOf(container.name),
      })
    }
  const services = config.services.map((service) => compileService(service, identities, rings, stateOf))
  rings.forgetUnused()
  const hairpin = config.hairpin && {
    alias4: config.hairpin.alias4,
    alias6: config.hairpin.alias6,
    sources: distinctPrefixes(sources),
  }
  return { key, unserved: config.unserved, hairpin, services, containers }
}

function compileService(
  service: ServiceConfig,
  identities: Identities,
  rings: Rings,
  stateOf: StateOf,
): SnapshotService {
  return {
    id: identities.service(service.name),
    name: service.name,
    prefix4: service.affinity.prefix4,
    prefix6: service.affinity.prefix6,
    idleSeconds: service.affinity.idleSeconds,
    quota: service.quota,
    empty: service.empty,
    replies: service.replies,
    members: service.containers.map((container) => ({
      container: identities.container(container.name),
      port: container.port ?? 0,
    })),
    ...buildRings(service, rings, stateOf),
    pins: service.pins.map((pin) => ({
      prefix: pin.source.address,
      length: pin.source.length,
      container: identities.container(pin.container),
    })),
    fronts: service.addresses.flatMap((address) => compileFronts(service, address, identities)),
  }
}

/** A container takes part in the ring of each family it has an address of; mostly the two rings are one. */
function buildRings(
  { containers }: ServiceConfig,
  rings: Rings,
  stateOf: StateOf,
): Pick<SnapshotService, 'ring4' | 'ring6'> {
  const ringOf = (family: 'address' | 'address6') =>
    rings.ringOf(
      containers.flatMap(({ name, weight, [family]: address }, position) =>
        address !== undefined && weight > 0 && stateOf(name) === 'ready' ? [{ name, weight, position }] : [],
      ),
    )
  return { ring4: ringOf('address'), ring6: ringOf('address6') }
}

function compileFronts(service: ServiceConfig, address: Address, identities: Identities): Front[] {
  const scope = identities.scope(scopeName(service, address))
  if (service.ports === 'all') return [{ address, protocol: 0, port: 0, target: 0, scope }]
  return service.ports.flatMap((rule) =>
    protocolsOf(rule).map((protocol) => ({
      address,
      protocol: PROTOCOL_NUMBERS[protocol],
      port: rule.port,
      target: rule.target,
      scope,
    })),
  )
}
