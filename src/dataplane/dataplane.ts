import type { Address } from '../address.ts'
import type { Offload } from '../packet/offload.ts'
import type { Family } from '../pipeline/candidates.ts'
import type { Judgements, Pairs } from '../pipeline/forecast.ts'
import type { Outcome } from '../pipeline/outcome.ts'
import type { Refusal } from '../pipeline/refusals.ts'
import type { Snapshot } from '../pipeline/snapshot.ts'
import type { ChangeBatch } from '../table/change-log.ts'
import type { Limit } from '../table/new-sources.ts'
import type { Rows } from '../table/rows.ts'

export type { ChangeBatch, Judgements, Offload, Outcome, Pairs, Refusal }

export interface TableSizes {
  readonly capacity: number
  readonly probation: number
  readonly flows: number
  readonly fragments: number
}

export interface Traffic {
  readonly packets: number
  readonly bytes: number
}

export interface Counters {
  readonly received: Traffic
  /** By position in REASONS; their sum equals `received`. */
  readonly reasons: readonly Traffic[]
  /** By id, requests and replies apart. */
  readonly services: ReadonlyMap<number, { readonly in: Traffic; readonly out: Traffic }>
  readonly containers: ReadonlyMap<number, { readonly in: Traffic; readonly out: Traffic }>
  /** Entries by scope. */
  readonly scopes: ReadonlyMap<number, number>
  /** Entries now, on probation ever, remembered by what they sent ever, moved to another container ever, refused because table or quota was full. */
  readonly table: {
    readonly entries: number
    readonly capacity: number
    readonly probation: number
    readonly made: number
    readonly moved: number
    readonly full: number
    readonly overQuota: number
    readonly expired: number
  }
}

export interface RowBatch {
  readonly next: number
  readonly rows: Rows
}

/** The pure pipeline of one implementation: bytes in, an outcome out, no device. */
export interface Engine {
  publish(snapshot: Snapshot): void
  /** `packet` is not kept and may be changed in place. `nowSeconds` is the only clock there is. */
  process(packet: Uint8Array, nowSeconds: number, offload?: Offload): Outcome
  /** Removes entries idle too long; returns how many. */
  expire(nowSeconds: number): number
  counters(): Counters
  /** Of each reason for which packets were dropped or refused, in the order of codes. */
  refusals(): readonly Refusal[]
  /**
   * Entries from `cursor` on, 0 for the first; `next` is 0 at the end. What is there from the first call to the last is
   * listed, some of it twice. `most`: up to 1,048,576.
   */
  rows(cursor: number, most: number): RowBatch
  /** The entries of the rows' keys, at most 1,048,576. */
  find(rows: Rows): Rows
  /** What is remembered on probation of the rows' keys, as many. */
  findOnProbation(rows: Rows): Rows
  /** How many entries lead to a container. */
  sourcesOn(container: number): number
  /** Whose turn it is in a service, for algorithms that go by turns; nobody's is taken. */
  turn(service: number, family: Family): number
  /** What keeps a source from a place on probation if nobody knows it; it takes none. */
  limitOf(source: Address, nowSeconds: number): Limit | undefined
  /**
   * What would become of sources if `snapshot` were in force in the place of the one that is; nothing is changed. Throws
   * E_INPUT when there are four already.
   */
  forecast(snapshot: Snapshot, pairs: Pairs): EngineForecast
  /** What became of the entries (table/change-log.ts). */
  changes(position: number, most: number): ChangeBatch
  /**
   * Makes or replaces entries, quota or not. Returns how many rows found no room; with `isWhole` none is put then. An
   * entry whose container or scope no snapshot has is as good as none when its source's next packet comes.
   */
  put(rows: Rows, isWhole: boolean): number
  /** Removes the entries of the rows' keys. Returns how many there were. */
  forget(rows: Rows): number
}

/** pipeline/forecast.ts. Holds both snapshots until it is closed. */
export interface EngineForecast {
  /** Rows of the table, some thousands at a time: 4,096 take a millisecond or two. Seconds may be before the clock's zero. */
  decide(rows: Rows, nowSeconds: number): Judgements
  /** Idempotent. */
  close(): void
}

export interface ForwarderOptions {
  readonly tun: string
  readonly bridges: readonly string[]
  /** Where clients come from: the fast path meets their packets there. */
  readonly uplinks: readonly string[]
  readonly queues: number
  readonly spinUs: number
  readonly fastpath: FastPathMode
  /** How long the fast path goes on when this process has died. */
  readonly lingerSeconds: number
  /** Where the fast path's maps are pinned for the next daemon (src/handover); undefined: nowhere. */
  readonly handover?: string | undefined
  /** Sources that the fast path serves from the start on, as far as the table has them. */
  readonly known?: Rows | undefined
  /** One packet in so many has its checksums recomputed; 0: none. */
  readonly selfCheck: number
}

/** `auto`: without the fast path when it cannot be had; `require`: not at all then. */
export type FastPathMode = 'auto' | 'off' | 'require'

/**
 * An engine at work on a TUN device. Its packets bring the time with them: whole seconds of the system's
 * monotonic clock (process.hrtime), which `expire` must be given too.
 */
export interface DataPlane extends Engine {
  /**
   * Opens the TUN's queues and the bridges' sockets and starts the threads; after the first `publish`. Throws
   * OnehopError, with nothing left open: E_NETWORK for a bridge that is not there, E_SYSTEM for a system call.
   */
  start(options: ForwarderOptions): void
  /**
   * Opens queues of a TUN that another process reads still. Some of its packets wait in them from now on, and all when that process has
   * ended, until `start` reads them. Throws as `start` does.
   */
  hold(tun: string, queues: number): void
  /** The bridges from now on, in the place of those that `start` was given. One that is not there is waited for. */
  useBridges(names: readonly string[]): void
  /** Likewise the uplinks. */
  useUplinks(names: readonly string[]): void
  /** Another number than before: links, routes or rules of the host changed, or the TUN was deleted. Costs next to nothing. */
  disturbances(): number
  /** Where the TUN was deleted and is there again, threads go on with the new one. Throws E_NETWORK while it is not. */
  reopen(): void
  /**
   * Stops the threads and closes what `start` opened; no packet is touched after it returns. Idempotent. `isLeft`: but for the
   * fast path, which goes on for `lingerSeconds`.
   */
  stop(isLeft?: boolean): void
  /** Counted since `start`; all zero when stopped. */
  io(): IoCounters
  /** The last packet that left with a checksum it did not come with. */
  lastWrong(): WrongSum | undefined
  /**
   * Begins to copy the packets that match, as they arrive and leave, and returns the watch's number. Throws E_INPUT
   * when four are at work. What matches takes the slow path until `unwatch` or `stop`.
   */
  watch(options: WatchOptions): number
  /** What has been copied, at most `most` bytes of it. */
  take(watch: number, most: number): Taken
  /** Idempotent. */
  unwatch(watch: number): void
}

export interface WatchOptions {
  /** Ids; 0: any. */
  readonly service: number
  readonly container: number
  /** The positions in REASONS that are wanted. */
  readonly codes: Uint8Array
  /** Clients: 16 bytes, IPv4 mapped into IPv6, and how many bits of them count. */
  readonly source: Uint8Array
  readonly prefix: number
  /** Bytes of a packet kept at most, 128 at least. */
  readonly snap: number
  /** Packets at most, up to 65,535. */
  readonly perSecond: number
}

export interface Taken {
  /** src/watch/sighting.ts reads them. */
  readonly records: Uint8Array
  /** Ever: packets that matched, and those of them that found no room. */
  readonly matched: number
  readonly lost: number
}

export interface IoCounters {
  readonly tunReadErrors: number
  readonly tunWriteErrors: number
  /** Packets to containers: written to a bridge, and to the TUN where no neighbour is resolved or the way there is too narrow. */
  readonly bridgeWrites: number
  readonly bridgeWriteErrors: number
  readonly tunWrites: number
  /** UDP datagrams that left together with one before them of their flow, by the same write. */
  readonly joined: number
  /** How often a packet thread found its queue of the TUN empty: while none does, packets wait there. */
  readonly tunEmptied: number
  /** Packets that fit into each queue of the TUN (its txqueuelen); how many wait the kernel tells nobody. */
  readonly tunQueueLength: number
  /** Since the start, packets that the kernel had for the TUN and dropped: its queue was full, or nobody read it. */
  readonly tunDropped: number
  /** The failed reads and writes above, by call and errno's name. */
  readonly errors: readonly IoError[]
  /** Container addresses whose neighbour on a bridge is resolved, of all in the snapshot. */
  readonly neighboursResolved: number
  readonly neighboursWanted: number
  /** Packet threads at work: fewer than were started when the TUN was deleted under them. */
  readonly queues: number
  /** What the kernel leaves to us: csum, tso4, tso6, tso-ecn, uso4, uso6. */
  readonly offload: readonly string[]
  readonly fastpath: FastPathCounters
  readonly latency: Latency
  readonly selfCheck: SelfCheckCounters
}

/** How long packets took from their read to their write, of one in 64. */
export interface Latency {
  /** Upper bounds of the buckets; one bucket more has what took longer. */
  readonly boundsNs: readonly number[]
  /** To containers, from them, and all else. */
  readonly request: LatencyCounts
  readonly answer: LatencyCounts
  readonly other: LatencyCounts
}

export interface LatencyCounts {
  readonly buckets: readonly number[]
  readonly sumNs: number
}

export interface SelfCheckCounters {
  /** One packet in so many; 0: none. */
  readonly every: number
  readonly checked: number
  readonly wrong: number
}

/** Which checksum: the IPv4 header's, the transport's, or one of what an ICMP error quotes. */
export type SumFault = 'none' | 'header' | 'transport' | 'quoted'

/** A packet that left with a checksum it did not come with. */
export interface WrongSum {
  /** Milliseconds of the data plane's clock. */
  readonly atMs: number
  /** Position in REASONS. */
  readonly code: number
  readonly fault: SumFault
  /** Ids; 0: none. */
  readonly service: number
  readonly container: number
  readonly arrived: SeenPacket
  readonly left: SeenPacket
}

export interface SeenPacket {
  readonly length: number
  readonly isPartial: boolean
  /** Its first 256 bytes. */
  readonly beginning: Uint8Array
}

export interface IoError {
  readonly call: 'read TUN' | 'write TUN' | 'write bridge'
  readonly error: string
  readonly count: number
}

export interface FastPathCounters {
  readonly state: 'on' | 'off' | 'unavailable'
  /** Why it is unavailable. */
  readonly problem?: string
  /** Interfaces where it meets requests, and those where it meets answers. */
  readonly uplinks: number
  readonly ports: number
  /** Served by it, as of some seconds ago; and how often one had to stay on the slow path for want of room. */
  readonly sources: number
  readonly full: number
  /** Why it is not kept for the next daemon although it should be. */
  readonly handoverProblem?: string
}
