import type { Algorithm, ContainerState } from '../pipeline/snapshot.ts'
import type { Origin } from '../table/table.ts'

/** Why a client's next packet goes where it goes: in each service that it could ask, with everything that was looked at. */
export interface Explanation {
  readonly source: string
  /** The moment that it is about, ISO 8601. */
  readonly at: string
  /** Of a local source: as whom containers see it. */
  readonly alias?: string
  readonly services: readonly ServiceExplanation[]
  /** Services beyond those that are listed. */
  readonly left: number
}

export interface ServiceExplanation {
  readonly service: string
  /** The public ends that all lead where this says: `203.0.113.10:80/tcp`. */
  readonly ways: readonly string[]
  /** What the source is remembered by. */
  readonly knownAs: { readonly scope: string; readonly source: string }
  readonly decision: DecisionExplanation
  /** Where the service does not let everybody in: whether it does this source, and the prefix that says so. */
  readonly admission?: AdmissionExplanation
  /** All that cover the source, longest first. */
  readonly pins: readonly PinExplanation[]
  readonly entry?: EntryExplanation
  readonly algorithm: AlgorithmExplanation
  readonly containers: readonly ContainerExplanation[]
  /** What becomes of the packet's destination, by way in. */
  readonly rewrites: readonly Rewrite[]
  /** How an answer finds the way back: its endpoint alone tells, or the flow that was remembered. */
  readonly answers: 'endpoint' | 'flow'
  /** How the packet gets to the container; on a running daemon. */
  readonly route?: RouteExplanation
}

export interface DecisionExplanation {
  /** As replay, status and the counters name it. */
  readonly reason:
    | 'pinned'
    | 'known'
    | 'chosen'
    | 'unpinned'
    | 'no-container'
    | 'denied'
    | 'source-limit'
    | 'prefix-limit'
  readonly container?: string
}

export interface AdmissionExplanation {
  /** The longest that covers the source; undefined: none does. */
  readonly prefix?: string
  readonly isAllowed: boolean
}

export interface PinExplanation {
  /** `198.51.100.0/24`. */
  readonly source: string
  readonly containers: readonly string[]
  readonly by: 'config' | 'file' | 'operator'
  /** `cannot`: none of its containers can take the source; `shorter`: a longer one has decided. */
  readonly result: 'decides' | 'cannot' | 'shorter'
}

export interface EntryExplanation {
  readonly container: string
  /** `probation`: it has not proved yet that it exists. */
  readonly place: 'table' | 'probation'
  readonly origin: Origin
  readonly since: string
  readonly seen: string
  readonly ageSeconds: number
  readonly unseenSeconds: number
  readonly idleSeconds: number
  readonly packets: number
  readonly bytes: number
  /** Whether the source may stay at its container, or why not: it was idle too long, its container is `gone` from the service, … */
  readonly holds: 'yes' | 'idle' | 'gone' | 'down' | 'family'
}

export interface AlgorithmExplanation {
  readonly name: Algorithm
  /** Who takes new sources of this family, with their parts of them. */
  readonly candidates: readonly {
    readonly container: string
    readonly weight: number
    /** Of all new sources, from 0 to 1. */
    readonly share: number
    /** That lead to it now, for algorithms that go by them. */
    readonly sources?: number
  }[]
  /** The rows of its ring that it looks at for this source. */
  readonly rows: readonly { readonly row: number; readonly of: number; readonly container: string }[]
  /** Whom it would choose, were there no pin and no entry. */
  readonly picks?: string
}

export interface ContainerExplanation {
  readonly name: string
  readonly address?: string
  readonly state: ContainerState
  /** Whose word that is. */
  readonly by: string
  readonly sinceSeconds?: number
  readonly weight: number
  readonly verdict: ContainerVerdict
}

/**
 * Why a container does not get the source: what forbids it altogether comes before what prefers another. `yes`: it does.
 * `pin`, `entry`, `algorithm`: that leads to another.
 */
export type ContainerVerdict =
  | 'yes'
  | 'denied'
  | 'limit'
  | 'down'
  | 'family'
  | 'pin'
  | 'entry'
  | 'draining'
  | 'weight'
  | 'algorithm'

export interface Rewrite {
  readonly from: string
  readonly to: string
}

export interface RouteExplanation {
  /** `bridge`: a frame is written there; `kernel`: the packet goes back into the TUN, and the kernel routes it. */
  readonly by: 'bridge' | 'kernel'
  readonly interface?: string
  /** Of the container, as the kernel knows its neighbour. */
  readonly mac?: string
  /** A router on the way. */
  readonly via?: string
  /** Whether plain packets of a source that the table knows stay in the kernel. */
  readonly fastpath: 'on' | 'off' | 'unavailable'
}
