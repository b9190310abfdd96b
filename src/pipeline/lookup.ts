import { type Address, isAddress4, maskAddress } from '../address.ts'
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

/** A snapshot with the indexes that packets are looked up in. */
export class SnapshotLookup {
  readonly snapshot: Snapshot
  readonly aliases: Aliases
  readonly candidates: CandidateLists
  readonly #publicAddresses = new Set<Address>()
  readonly #ways = new Map<string, Way>()
  readonly #endpoints = new Map<string, EndpointWay[]>()
  /** The same without ports, for later fragments; a way is undefined where several services share the address. */
  readonly #portlessWays = new Map<string, Way | undefined>()
  readonly #portlessEndpoints = new Map<string, EndpointWay[]>()
  readonly #idleByScope = new Map<number, number>()
  readonly #quotaByScope = new Map<number, number>()

  constructor(snapshot: Snapshot) {
    this.snapshot = snapshot
    this.aliases = new Aliases(snapshot.hairpin)
    this.candidates = new CandidateLists(snapshot.key)
    for (const service of snapshot.services)
      for (const front of service.fronts) {
        this.#publicAddresses.add(front.address)
        this.#ways.set(endKey(front.address, front.protocol, front.port), { service, front })
        this.#addEndpoints(this.#endpoints, service, front, endpointPort)
        if (front.protocol !== 0) this.#addPortless(service, front)
        this.#idleByScope.set(front.scope, front.idleSeconds)
        this.#quotaByScope.set(front.scope, front.quota ?? Infinity)
      }
  }

  isPublic(address: Address): boolean {
    return this.#publicAddresses.has(address)
  }

  /**
   * The way in that a packet takes: its port's, else the one for every protocol and port. A later fragment's is the one it
   * must take whichever its port, or one of several to the same service.
   */
  way(packet: Destination): Way | undefined {
    const { destination, protocol, destinationPort } = packet
    if (!hasPorts(packet) || packet.isRouted) return this.#everyWay(destination)
    if (packet.isLaterFragment) return this.#portlessWay(destination, protocol)
    return this.#ways.get(endKey(destination, protocol, destinationPort)) ?? this.#everyWay(destination)
  }

  /** The ways in that lead to the endpoint a packet comes from. A later fragment's are those to all ports of the address. */
  endpointWays(packet: Packet): readonly EndpointWay[] {
    const { source, protocol, sourcePort } = packet
    if (!hasPorts(packet)) return this.#waysTo(source, 0, 0)
    if (!packet.isLaterFragment) return this.#waysTo(source, protocol, sourcePort)
    return [
      ...(this.#portlessEndpoints.get(endKey(source, protocol, 0)) ?? []),
      ...this.#waysTo(source, 0, 0),
    ]
  }

  /** Whether the flows at this endpoint are to be remembered. */
  needsFlow(address: Address, protocol: number, port: number): boolean {
    return needsFlow(this.#waysTo(address, protocol, port))
  }

  /** Seconds an entry of this scope may stay unseen; 0 when the scope is gone. */
  idleOf(scope: number): number {
    return this.#idleByScope.get(scope) ?? 0
  }

  /** Entries of this scope at most. */
  quotaOf(scope: number): number {
    return this.#quotaByScope.get(scope) ?? 0
  }

  #waysTo(address: Address, protocol: number, port: number): readonly EndpointWay[] {
    const every = this.#endpoints.get(endKey(address, 0, 0)) ?? []
    const exact = protocol === 0 ? [] : (this.#endpoints.get(endKey(address, protocol, port)) ?? [])
    return every.length === 0 ? exact : [...exact, ...every]
  }

  #everyWay(address: Address): Way | undefined {
    return this.#ways.get(endKey(address, 0, 0))
  }

  #portlessWay(address: Address, protocol: number): Way | undefined {
    const key = endKey(address, protocol, 0)
    const every = this.#everyWay(address)
    if (!this.#portlessWays.has(key)) return every
    return every === undefined ? this.#portlessWays.get(key) : undefined
  }

  #addPortless(service: SnapshotService, front: Front): void {
    const key = endKey(front.address, front.protocol, 0)
    const known = this.#portlessWays.get(key)
    if (!this.#portlessWays.has(key)) this.#portlessWays.set(key, { service, front })
    else if (known?.service !== service) this.#portlessWays.set(key, undefined)
    this.#addEndpoints(this.#portlessEndpoints, service, front, () => 0)
  }

  #addEndpoints(
    endpoints: Map<string, EndpointWay[]>,
    service: SnapshotService,
    front: Front,
    portOf: (front: Front, member: Member) => number,
  ): void {
    for (const member of service.members) {
      const { container } = member
      const address = addressOf(container, front.address)
      if (address === undefined) continue
      const key = endKey(address, front.protocol, portOf(front, member))
      const ways = endpoints.get(key)
      if (ways === undefined) endpoints.set(key, [{ service, front, container }])
      else ways.push({ service, front, container })
    }
  }
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

/** A container's address of the same family as `like`. */
export const addressOf = (container: SnapshotContainer, like: Address): Address | undefined =>
  isAddress4(like) ? container.address4 : container.address6

/** What a client is remembered by at a way in. */
export function sourceKey({ service, front }: Way, client: Address): SourceKey {
  const prefix = isAddress4(client) ? service.prefix4 : service.prefix6
  return { scope: front.scope, source: maskAddress(client, prefix) }
}
