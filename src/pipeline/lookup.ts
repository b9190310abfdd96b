import { type Address, isAddress4, lengthOf, maskAddress } from '../address.ts'
import type { Packet } from '../packet/packet.ts'
import { TCP } from '../packet/tcp.ts'
import { UDP } from '../packet/udp.ts'
import type { SourceKey } from '../table/source.ts'
import { CandidateLists } from './candidates.ts'
import { Aliases } from './hairpin.ts'

import type { Front, Member, Snapshot, SnapshotContainer, SnapshotService } from './snapshot.ts'

/** Where a packet goes, as far as its way in depends on that. */
export type Destination = Pick<
  Packet,
  'destination' | 'protocol' | 'destinationPort' | 'isRouted' | 'isLaterFragment'
>

/** A public way in, with the service it belongs to. */
export interface Way {
  readonly service: SnapshotService
  readonly front: Front
}

/** A way in as seen from a container's endpoint. */
export interface EndpointWay extends Way {
  readonly container: SnapshotContainer
}

/**
 * A snapshot with the indexes that packets are looked up in. Each is made when it is first asked: whoever explains one source
 * asks few of them, and each is of all services.
 */
export class SnapshotLookup {
  readonly snapshot: Snapshot
  readonly aliases: Aliases
  readonly candidates: CandidateLists
  readonly #publicAddresses = lazily(() => new Set(this.#fronts().map(({ front }) => front.address)))
  readonly #ways = lazily(() => new Map(this.#fronts().map((way) => [endOf(way.front), way])))
  readonly #endpoints = lazily(() => indexEndpoints(this.#fronts(), endpointPort))
  /** The same without ports, for later fragments; a way is undefined where several services share the address. */
  readonly #portlessWays = lazily(() => indexPortless(this.#withPorts()))
  readonly #portlessEndpoints = lazily(() => indexEndpoints(this.#withPorts(), () => 0))
  readonly #scopes = lazily(() => new Map(this.#fronts().map(({ front }) => [front.scope, front])))

  constructor(snapshot: Snapshot) {
    this.snapshot = snapshot
    this.aliases = new Aliases(snapshot.hairpin)
    this.candidates = new CandidateLists(snapshot.key)
  }

  isPublic(address: Address): boolean {
    return this.#publicAddresses().has(address)
  }

  /**
   * The way in that a packet takes: its port's, else the one for every protocol and port. A later fragment's is the one it
   * must take whichever its port, or one of several to the same service.
   */
  way(packet: Destination): Way | undefined {
    const { destination, protocol, destinationPort } = packet
    if (!hasPorts(packet) || packet.isRouted) return this.#everyWay(destination)
    if (packet.isLaterFragment) return this.#portlessWay(destination, protocol)
    return this.#ways().get(endKey(destination, protocol, destinationPort)) ?? this.#everyWay(destination)
  }

  /** The ways in that lead to the endpoint a packet comes from. A later fragment's are those to all ports of the address. */
  endpointWays(packet: Packet): readonly EndpointWay[] {
    const { source, protocol, sourcePort } = packet
    if (!hasPorts(packet)) return this.#waysTo(source, 0, 0)
    if (!packet.isLaterFragment) return this.#waysTo(source, protocol, sourcePort)
    return [
      ...(this.#portlessEndpoints().get(endKey(source, protocol, 0)) ?? []),
      ...this.#waysTo(source, 0, 0),
    ]
  }

  /** Whether the flows at this endpoint are to be remembered. */
  needsFlow(address: Address, protocol: number, port: number): boolean {
    return needsFlow(this.#waysTo(address, protocol, port))
  }

  /** Seconds an entry of this scope may stay unseen; 0 when the scope is gone. */
  idleOf(scope: number): number {
    return this.#scopes().get(scope)?.idleSeconds ?? 0
  }

  /** Entries of this scope at most. */
  quotaOf(scope: number): number {
    const front = this.#scopes().get(scope)
    return front === undefined ? 0 : (front.quota ?? Infinity)
  }

  #fronts(): readonly Way[] {
    return this.snapshot.services.flatMap((service) => service.fronts.map((front) => ({ service, front })))
  }

  #withPorts(): readonly Way[] {
    return this.#fronts().filter(({ front }) => front.protocol !== 0)
  }

  #waysTo(address: Address, protocol: number, port: number): readonly EndpointWay[] {
    const every = this.#endpoints().get(endKey(address, 0, 0)) ?? []
    const exact = protocol === 0 ? [] : (this.#endpoints().get(endKey(address, protocol, port)) ?? [])
    return every.length === 0 ? exact : [...exact, ...every]
  }

  #everyWay(address: Address): Way | undefined {
    return this.#ways().get(endKey(address, 0, 0))
  }

  #portlessWay(address: Address, protocol: number): Way | undefined {
    const key = endKey(address, protocol, 0)
    const every = this.#everyWay(address)
    if (!this.#portlessWays().has(key)) return every
    return every === undefined ? this.#portlessWays().get(key) : undefined
  }
}

function lazily<Value>(make: () => Value): () => Value {
  let made: Value | undefined
  return () => {
    made ??= make()
    return made
  }
}

function indexPortless(ways: readonly Way[]): ReadonlyMap<string, Way | undefined> {
  const portless = new Map<string, Way | undefined>()
  for (const way of ways) {
    const key = endKey(way.front.address, way.front.protocol, 0)
    if (!portless.has(key)) portless.set(key, way)
    else if (portless.get(key)?.service !== way.service) portless.set(key, undefined)
  }
  return portless
}

function indexEndpoints(
  ways: readonly Way[],
  portOf: (front: Front, member: Member) => number,
): ReadonlyMap<string, readonly EndpointWay[]> {
  const endpoints = new Map<string, EndpointWay[]>()
  for (const { service, front } of ways)
    for (const member of service.members) {
      const { container } = member
      const address = addressOf(container, front.address)
      if (address === undefined) continue
      const key = endKey(address, front.protocol, portOf(front, member))
      const leading = endpoints.get(key)
      if (leading === undefined) endpoints.set(key, [{ service, front, container }])
      else leading.push({ service, front, container })
    }
  return endpoints
}

/** Whether answers need the flow to tell which way they belong to, or that they are any's. */
export const needsFlow = (ways: readonly EndpointWay[]): boolean =>
  ways.length > 1 || ways.some(({ service }) => service.replies === 'flow')

/** Whether what no flow belongs to is for the container's own address. */
export const isOnlyByFlow = (ways: readonly EndpointWay[]): boolean =>
  ways.every(({ service }) => service.replies === 'flow')

/** Whether a later fragment from there is an answer whichever its port, and of which way. */
export const isOneWay = (ways: readonly EndpointWay[]): boolean =>
  ways.length === 1 && ways[0]!.front.protocol === 0 && !needsFlow(ways)

/** Only these have ports to map; everything else goes by address alone. */
const hasPorts = ({ protocol }: Pick<Packet, 'protocol'>): boolean =>
  protocol === TCP.protocol || protocol === UDP.protocol

/** Of a container, for what comes in by the front; 0: whichever the packet names. */
export const endpointPort = (front: Front, member: Member): number =>
  front.protocol === 0 ? 0 : member.port || front.target

const endKey = (address: Address, protocol: number, port: number): string => `${address}/${protocol}/${port}`

const endOf = ({ address, protocol, port }: Front): string => endKey(address, protocol, port)

/** A container's address of the same family as `like`. */
export const addressOf = (container: SnapshotContainer, like: Address): Address | undefined =>
  isAddress4(like) ? container.address4 : container.address6

/** What a client is remembered by at a way in. */
export function sourceKey({ service, front }: Way, client: Address): SourceKey {
  return { scope: front.scope, source: maskAddress(client, lengthOf(client, service)) }
}
