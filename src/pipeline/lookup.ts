import { type Address, isAddress4, maskAddress } from '../address.ts'
import type { Packet } from '../packet/packet.ts'
import { TCP } from '../packet/tcp.ts'
import { UDP } from '../packet/udp.ts'
import type { SourceKey } from '../table/source.ts'
import { CandidateLists } from './candidates.ts'
import { Aliases } from './hairpin.ts'
import type { Front, Pin, Snapshot, SnapshotContainer, SnapshotService } from './snapshot.ts'

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
        this.#addEndpoints(service, front)
        this.#idleByScope.set(front.scope, front.idleSeconds)
        this.#quotaByScope.set(front.scope, front.quota ?? Infinity)
      }
  }

  isPublic(address: Address): boolean {
    return this.#publicAddresses.has(address)
  }

  /** The way in that a packet takes: its port's, else the one for every protocol and port. */
  way(packet: Packet): Way | undefined {
    const exact =
      hasPorts(packet) && !packet.isRouted
        ? this.#ways.get(endKey(packet.destination, packet.protocol, packet.destinationPort))
        : undefined
    return exact ?? this.#ways.get(endKey(packet.destination, 0, 0))
  }

  /** The ways in that lead to the endpoint a packet comes from. */
  endpointWays(packet: Packet): readonly EndpointWay[] {
    return this.#waysTo(packet.source, hasPorts(packet) ? packet.protocol : 0, packet.sourcePort)
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

  #addEndpoints(service: SnapshotService, front: Front): void {
    for (const member of service.members) {
      const { container } = member
      const address = addressOf(container, front.address)
      if (address === undefined) continue
      const key = endKey(address, front.protocol, front.protocol === 0 ? 0 : member.port || front.target)
      const ways = this.#endpoints.get(key)
      if (ways === undefined) this.#endpoints.set(key, [{ service, front, container }])
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

/** Only these have ports to map; everything else goes by address alone. */
const hasPorts = (packet: Packet): boolean =>
  !packet.isFragment && (packet.protocol === TCP.protocol || packet.protocol === UDP.protocol)

const endKey = (address: Address, protocol: number, port: number): string => `${address}/${protocol}/${port}`

/** A container's address of the same family as `like`. */
export const addressOf = (container: SnapshotContainer, like: Address): Address | undefined =>
  isAddress4(like) ? container.address4 : container.address6

/** What a client is remembered by at a way in. */
export function sourceKey({ service, front }: Way, client: Address): SourceKey {
  const prefix = isAddress4(client) ? service.prefix4 : service.prefix6
  return { scope: front.scope, source: maskAddress(client, prefix) }
}

/** The longest pin that covers an address and is accepted by `isUsable`. Pins come in any order. */
export function lookupPin(
  pins: readonly Pin[],
  address: Address,
  isUsable: (container: number) => boolean,
): Pin | undefined {
  let best: Pin | undefined
  for (const pin of pins)
    if (
      pin.prefix.length === address.length &&
      pin.length > (best?.length ?? -1) &&
      maskAddress(address, pin.length) === maskAddress(pin.prefix, pin.length) &&
      isUsable(pin.container)
    )
      best = pin
  return best
}
