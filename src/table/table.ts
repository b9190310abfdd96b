import type { Address } from '../address.ts'
import type { Packet } from '../packet/packet.ts'
import { BucketRing } from './bucket-ring.ts'
import { type Challenge, challengeOf, provesSource } from './proof.ts'
import { type SourceKey, sourceRingKey } from './source.ts'

export type Origin = 'pinned' | 'assigned' | 'restored'

/** What is remembered of a source, in the table or on probation. */
export interface Entry {
  container: number
  origin: Origin
  sinceSeconds: number
  seenSeconds: number
}

interface Candidate extends Entry {
  challenge: Challenge | undefined
}

export interface TableCounters {
  probation: number
  moved: number
  full: number
  expired: number
}

/**
 * The distribution table: source → container, bounded. A new source stands on probation, a small ring, until
 * it has proved that it exists (proof.ts); only then does it take a place that nothing but idleness ends. So a
 * flood of made-up sources churns the ring and never the table.
 *
 * Times are seconds of any clock that only the caller knows. An entry not seen for longer than `idle` counts
 * as absent from then on, whether or not `expire` has swept it.
 */
export class DistributionTable {
  readonly #scopes = new Map<number, Map<Address, Entry>>()
  readonly #probation: BucketRing<Candidate>
  readonly #capacity: number
  #size = 0
  readonly counters: TableCounters = { probation: 0, moved: 0, full: 0, expired: 0 }

  constructor(capacity: number, probation: number, hashKey: Uint8Array) {
    this.#capacity = capacity
    this.#probation = new BucketRing(probation, hashKey)
  }

  get size(): number {
    return this.#size
  }

  lookup(key: SourceKey, now: number, idle: number): Readonly<Entry> | undefined {
    return this.#proven(key, now, idle) ?? this.#candidate(key, now, idle)
  }

  /** A source's packet goes to `container`: keeps the entry fresh, moves it, or brings the source closer to one. */
  remember(
    key: SourceKey,
    container: number,
    origin: Origin,
    packet: Packet,
    now: number,
    idle: number,
  ): void {
    const entry = this.#proven(key, now, idle)
    if (entry !== undefined) {
      if (entry.container !== container) this.counters.moved++
      Object.assign(entry, { container, origin, seenSeconds: now })
      return
    }
    const candidate = this.#candidate(key, now, idle)
    if (candidate?.container !== container) this.#admit(key, container, origin, now)
    else if (candidate.challenge && provesSource(packet, candidate.challenge))
      this.#promote(key, candidate, now)
    else candidate.seenSeconds = now
  }

  /** A container answers: true when `source` is known to have gone there. */
  answered(key: SourceKey, container: number, answer: Packet, now: number, idle: number): boolean {
    const entry = this.#proven(key, now, idle)
    if (entry !== undefined) {
      if (entry.container !== container) return false
      entry.seenSeconds = now
      return true
    }
    const candidate = this.#candidate(key, now, idle)
    if (candidate?.container !== container) return false
    candidate.challenge ??= challengeOf(answer)
    return true
  }

  /** Removes what has been idle longer than its scope's `idleOf` (0 for a scope that is gone). */
  expire(now: number, idleOf: (scope: number) => number): number {
    const before = this.#size
    for (const [scope, entries] of this.#scopes) {
      const idle = idleOf(scope)
      for (const [source, entry] of entries) if (isIdle(entry, now, idle)) this.#drop(entries, source)
      if (entries.size === 0) this.#scopes.delete(scope)
    }
    this.counters.expired += before - this.#size
    return before - this.#size
  }

  *entries(): Iterable<SourceKey & Readonly<Entry>> {
    for (const [scope, entries] of this.#scopes)
      for (const [source, entry] of entries) yield { scope, source, ...entry }
  }

  #proven(key: SourceKey, now: number, idle: number): Entry | undefined {
    const entry = this.#scopes.get(key.scope)?.get(key.source)
    return entry === undefined || isIdle(entry, now, idle) ? undefined : entry
  }

  #candidate(key: SourceKey, now: number, idle: number): Candidate | undefined {
    const candidate = this.#probation.lookup(sourceRingKey(key))
    return candidate === undefined || isIdle(candidate, now, idle) ? undefined : candidate
  }

  #admit(key: SourceKey, container: number, origin: Origin, now: number): void {
    this.counters.probation++
    const candidate = { container, origin, sinceSeconds: now, seenSeconds: now, challenge: undefined }
    this.#probation.store(sourceRingKey(key), candidate)
  }

  #promote(key: SourceKey, candidate: Candidate, now: number): void {
    const entries = this.#scopes.get(key.scope) ?? new Map<Address, Entry>()
    const replaces = entries.has(key.source)
    candidate.seenSeconds = now
    if (!replaces && this.#size >= this.#capacity) {
      this.counters.full++
      return
    }
    const { challenge: _, ...entry } = candidate
    entries.set(key.source, entry)
    this.#scopes.set(key.scope, entries)
    if (!replaces) this.#size++
    this.#probation.remove(sourceRingKey(key))
  }

  #drop(entries: Map<Address, Entry>, source: Address): void {
    entries.delete(source)
    this.#size--
  }
}

/** Out-of-order times count as just seen. */
const isIdle = (entry: Entry, now: number, idle: number): boolean => now - entry.seenSeconds > idle
