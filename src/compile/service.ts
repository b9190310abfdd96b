import type { Address } from '../address.ts'
import { protocolsOf, type ServiceConfig } from '../config/config.ts'
import type { Conditions } from '../containers/conditions.ts'
import { TCP } from '../packet/tcp.ts'
import { UDP } from '../packet/udp.ts'
import type { Identities } from '../pipeline/identities.ts'
import type { Front, Member, SnapshotService } from '../pipeline/snapshot.ts'
import { scopeName } from '../scope.ts'
import { siphash } from '../table/siphash.ts'
import type { PackedPins } from './pins.ts'
import { effectiveWeights } from './shares.ts'
import { type Starts, stepsDone } from './slow-start.ts'

const PROTOCOL_NUMBERS = { tcp: TCP.protocol, udp: UDP.protocol } as const

/** What those that share a scope have together. */
export interface ScopeLimits {
  readonly idleSeconds: number
  /** Undefined: none. */
  readonly quota: number | undefined
}

/** By a scope's name. */
type LimitsOf = (scope: string) => ScopeLimits

/** All that a service is compiled from besides its config. */
export interface Circumstances {
  readonly identities: Identities
  /** 16 bytes. */
  readonly key: Uint8Array
  readonly conditions: Conditions
  readonly starts: Starts
  readonly pins: PackedPins
  readonly nowMs: number
  readonly limitsOf: LimitsOf
}

export function compileService(service: ServiceConfig, circumstances: Circumstances): SnapshotService {
  const { identities, key, pins } = circumstances
  return {
    id: identities.service(service.name),
    name: service.name,
    algorithm: service.algorithm,
    seed: siphash(key, new TextEncoder().encode(service.name)).low,
    prefix4: service.affinity.prefix4,
    prefix6: service.affinity.prefix6,
    empty: service.empty,
    replies: service.replies,
    members: compileMembers(service, circumstances),
    pins: { table: pins.table, sets: pins.sets.map((names) => names.map(identities.container)) },
    admission: service.sources,
    fronts: service.addresses.flatMap((address) => compileFronts(service, address, circumstances)),
  }
}

function compileMembers(service: ServiceConfig, circumstances: Circumstances): readonly Member[] {
  const { identities, conditions } = circumstances
  const weights4 = weightsOf('address', service, circumstances)
  const weights6 = weightsOf('address6', service, circumstances)
  return service.containers.map(({ name, address, address6, port }, i) => ({
    container: {
      id: identities.container(name),
      name,
      address4: address,
      address6,
      state: conditions.get(name)?.state ?? 'ready',
    },
    port: port ?? 0,
    weight4: weights4[i]!,
    weight6: weights6[i]!,
  }))
}

/** Of the new sources of one family, for those that have an address of it and are ready. */
function weightsOf(
  family: 'address' | 'address6',
  { containers, slowStartMs, maximumShare }: ServiceConfig,
  { conditions, starts, nowMs }: Circumstances,
): readonly number[] {
  const claims = containers.map(({ name, weight, [family]: address }) => {
    const condition = conditions.get(name)
    const isTaking = address !== undefined && (condition?.state ?? 'ready') === 'ready'
    return {
      weight: isTaking ? (condition?.weight ?? weight) : 0,
      stepsDone: stepsDone(name, starts, slowStartMs, nowMs),
    }
  })
  return effectiveWeights(claims, maximumShare ?? 1)
}

function compileFronts(
  service: ServiceConfig,
  address: Address,
  { identities, limitsOf }: Circumstances,
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
