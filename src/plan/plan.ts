import type { ContainerState } from '../pipeline/snapshot.ts'

/** What would become of clients, and of the config, if another one were in force: of `onehop plan`, `apply` and `what-if`. */
export interface Plan {
  /** The moment that it is about, ISO 8601. */
  readonly at: string
  readonly changes: readonly Change[]
  readonly clients: Clients
  /** Clients that move by where from, where to and why; most of them first. */
  readonly moves: readonly Move[]
  /** Whose clients or share of new sources would be others. */
  readonly containers: readonly ContainerShare[]
  /** The moving clients that have sent most. */
  readonly movers: readonly Mover[]
  /** Of each list, what is beyond what it may have. */
  readonly left: {
    readonly changes: number
    readonly moves: number
    readonly containers: number
    readonly movers: number
  }
  /** What a reader has to know about the figures. */
  readonly notes: readonly string[]
}

/** Something of the config. */
export interface Change {
  readonly kind: 'setting' | 'service' | 'container' | 'pin'
  readonly change: 'added' | 'removed' | 'changed'
  /** Of a pin its source. */
  readonly name: string
  /** Whose container or pin it is. */
  readonly service?: string
  readonly fields: readonly FieldChange[]
}

export interface FieldChange {
  readonly field: string
  readonly from?: string
  readonly to?: string
}

export interface Clients {
  /** Entries of the table. */
  readonly known: number
  /** Of them, whose next packet would go elsewhere than it goes now. */
  readonly moved: number
  /** Of the moving ones, those that nobody would serve. */
  readonly unserved: number
  /** Seen in the last minute. */
  readonly active: number
  readonly activeMoved: number
}

/**
 * Why a client does not stay: `pin`, one leads it; `unpinned`, none does any more; `gone`, `down`, `family`: its container is not
 * the service's any more, is down, has no address of its family; `affinity`: what is known of it is not shared there; `idle`:
 * it has been silent for longer than is allowed there; `closed`: nobody serves that address and port any more; `denied`: the service does not let it in any more; `back`: its container takes it
 * again; `algorithm`: it is decided anew, now and then, with other results.
 */
export const WHYS = [
  'pin',
  'unpinned',
  'gone',
  'down',
  'family',
  'affinity',
  'idle',
  'closed',
  'denied',
  'back',
  'algorithm',
] as const
export type Why = (typeof WHYS)[number]

export interface Place {
  readonly service: string
  /** Absent: nobody serves the client. */
  readonly from?: string
  readonly to?: string
  readonly why: Why
}

export interface Move extends Place {
  readonly clients: number
  readonly active: number
}

export interface Mover extends Place {
  readonly source: string
  readonly seen: string
  readonly packets: number
  readonly bytes: number
}

export interface ContainerShare {
  readonly service: string
  readonly container: string
  /** Absent where it is not there. */
  readonly state: Sides<ContainerState>
  readonly clients: Sides<number>
  /** Of the service's new sources of a family, from 0 to 1. */
  readonly share4: Sides<number>
  readonly share6: Sides<number>
}

export interface Sides<Value> {
  readonly before?: Value
  readonly after?: Value
}
