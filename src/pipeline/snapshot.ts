import type { Address, Prefix } from '../address.ts'

/**
 * The immutable, compiled form of services and containers that a data plane works from. Building it is
 * pure; ids come from an `Identities` that outlives snapshots, so that entries and counters keep meaning the
 * same service and container across reloads.
 */
export interface Snapshot {
  /** 16 bytes: the key of every hash that a client could try to steer. */
  readonly key: Uint8Array
  readonly unserved: 'reject' | 'drop'
  /** Undefined: local sources are served like any other, which their answers do not come back to. */
  readonly hairpin: Hairpin | undefined
  readonly services: readonly SnapshotService[]
  /** By id. */
  readonly containers: ReadonlyMap<number, SnapshotContainer>
}

/** How local sources call public addresses: hairpin.ts. */
export interface Hairpin {
  readonly alias4: Prefix
  readonly alias6: Prefix
  /** Local prefixes of both families, each at least as long as its family's alias prefix, no two with an alias in common. */
  readonly sources: readonly Prefix[]
}

export interface SnapshotContainer {
  readonly id: number
  readonly name: string
  readonly address4: Address | undefined
  readonly address6: Address | undefined
  readonly state: ContainerState
}

/** `ready` takes new sources, `draining` keeps those it has, `down` takes none. */
export type ContainerState = 'ready' | 'draining' | 'down'

export interface SnapshotService {
  readonly id: number
  readonly name: string
  readonly prefix4: number
  readonly prefix6: number
  readonly idleSeconds: number
  /** Entries at most in each of its scopes; undefined: as many as the table has room for. */
  readonly quota: number | undefined
  readonly empty: 'reject' | 'drop'
  readonly replies: Replies
  readonly members: readonly Member[]
  /** Maglev rings over positions in `members`, one a family; empty when no member can take new sources. */
  readonly ring4: Uint16Array
  readonly ring6: Uint16Array
  readonly pins: readonly Pin[]
  readonly fronts: readonly Front[]
}

/**
 * What makes a packet from an endpoint an answer: that its client is known to use the service there, or that its very flow
 * came through the public address.
 */
export type Replies = 'endpoint' | 'flow'

/** A container's part in one service. */
export interface Member {
  /** The container's id. */
  readonly container: number
  /** 0: the front's target port. */
  readonly port: number
}

export interface Pin {
  readonly prefix: Address
  readonly length: number
  /** The container's id. */
  readonly container: number
}

/** One public way in: address, protocol and port of a service. */
export interface Front {
  readonly address: Address
  /** IP protocol number; 0: every protocol and port. */
  readonly protocol: number
  readonly port: number
  /** The containers' port; 0 when `protocol` is 0. */
  readonly target: number
  /** What shares an entry: equal scopes share it. */
  readonly scope: number
}
