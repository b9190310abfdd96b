import type { Address, Prefix, PrefixLengths } from '../address.ts'
import type { PrefixTable } from '../prefix-table.ts'
import type { NewSourceLimits } from '../table/new-sources.ts'

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
  /** Undefined: as many places on probation as there are, for everybody. */
  readonly newSources: NewSourceLimits | undefined
  /** One that has not changed is the same object as in the snapshot before: that is how a data plane tells. */
  readonly services: readonly SnapshotService[]
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

/** How a container is chosen for a source that nobody knows: choose.ts. */
export const ALGORITHMS = ['maglev', 'weighted-round-robin', 'least-sources', 'random-two'] as const
export type Algorithm = (typeof ALGORITHMS)[number]

export interface SnapshotService extends PrefixLengths {
  readonly id: number
  readonly name: string
  readonly algorithm: Algorithm
  /** 32 bits of a hash of the name. */
  readonly seed: number
  readonly empty: 'reject' | 'drop'
  readonly replies: Replies
  readonly members: readonly Member[]
  readonly pins: Pins
  /** Who may use it; undefined: everybody. */
  readonly admission: Admission | undefined
  readonly fronts: readonly Front[]
}

/**
 * What makes a packet from an endpoint an answer: that its client is known to use the service there, or that its very flow
 * came through the public address.
 */
export type Replies = 'endpoint' | 'flow'

/** A container's part in one service. */
export interface Member {
  readonly container: SnapshotContainer
  /** 0: the front's target port. */
  readonly port: number
  /** Its shares of new sources beside the other members', 0 to 65,535; 0: takes none of this family. */
  readonly weight4: number
  readonly weight6: number
}

/** Which containers sources are pinned to. */
export interface Pins {
  /** To positions in `sets`. The same object as in the snapshot before as long as it holds the same. */
  readonly table: PrefixTable
  /** Ids of containers. */
  readonly sets: readonly (readonly number[])[]
}

/** Which sources a service lets in. */
export interface Admission {
  /** To ALLOWED or DENIED (src/prefix-table.ts); the longest prefix that covers a source says. The same object as before as long as it holds the same. */
  readonly table: PrefixTable
  /** Whether sources that no prefix covers are let in. */
  readonly isOpen: boolean
  /** What those get that are not. */
  readonly denied: 'drop' | 'reject'
}

/** One public way in: address, protocol and port of a service. No other front of a snapshot has the same three. */
export interface Front {
  readonly address: Address
  /** IP protocol number; 0: every protocol and port. */
  readonly protocol: number
  readonly port: number
  /** The containers' port; 0 when `protocol` is 0. */
  readonly target: number
  /** What shares an entry: equal scopes share it. */
  readonly scope: number
  /** How long an entry may stay unseen: the longest of the services that share the scope. */
  readonly idleSeconds: number
  /** Entries of the scope at most: the most of the same services; undefined: as many as the table has room for. */
  readonly quota: number | undefined
}
