import type { Address } from '../address.ts'
import { type ContainerConfig, protocolsOf, type ServiceConfig } from '../config/schema.ts'
import type { Condition, Conditions } from '../containers/conditions.ts'
import { TCP } from '../packet/tcp.ts'
import { UDP } from '../packet/udp.ts'
import type { Identities } from '../pipeline/identities.ts'
import type { Front, Member, SnapshotService } from '../pipeline/snapshot.ts'
import { scopeName } from '../scope.ts'
import { siphash } from '../table/siphash.ts'

const PROTOCOL_NUMBERS = { tcp: TCP.protocol, udp: UDP.protocol } as const

/** What those that share a scope have together. */
export interface ScopeLimits {
  readonly idleSeconds: number
  /** Undefined: none. */
  readonly quota: number | undefined
}

/** By a scope's name. */
type LimitsOf = (scope: string) => ScopeLimits

export function compileService(
  service: ServiceConfig,
  identities: Identities,
  key: Uint8Array,
  conditions: Conditions,
  limitsOf: LimitsOf,
): SnapshotService {
  return {
    id: identities.service(service.name),
    name: service.name,
    algorithm: service.algorithm,
    seed: siphash(key, new TextEncoder().encode(service.name)).low,
    prefix4: service.affinity.prefix4,
    prefix6: service.affinity.prefix6,
    empty: service.empty,
    replies: service.replies,
    members: service.containers.map((container) =>
      compileMember(container, identities, conditions.get(container.name)),
    ),
    pins: service.pins.map((pin) => ({
      prefix: pin.source.address,
      length: pin.source.length,
      container: identities.container(pin.container),
    })),
    fronts: service.addresses.flatMap((address) => compileFronts(service, address, identities, limitsOf)),
  }
}

function compileMember(
  { name, address, address6, port, weight }: ContainerConfig,
  identities: Identities,
  condition: Condition | undefined,
): Member {
  const state = condition?.state ?? 'ready'
  return {
    container: { id: identities.container(name), name, address4: address, address6, state },
    port: port ?? 0,
    weight: condition?.weight ?? weight,
  }
}

function compileFronts(
  service: ServiceConfig,
  address: Address,
  identities: Identities,
  limitsOf: LimitsOf,
): Front[] {
  const name = scopeName(service, address)
  const shared = { address, scope: identities.scope(name), ...limitsOf(name) }
  if (service.ports === 'all') return [{ ...shared, protocol: 0, port: 0, target: 0 }]
  return service.ports.flatMap((rule) =>
    protocolsOf(rule).map((protocol) => ({
      ...shared,
      protocol: PROTOCOL_NUMBERS[protocol],
      port: rule.port,
      target: rule.target,
    })),
  )
}
