import type { Address } from '../address.ts'
import type { Packet } from '../packet/packet.ts'
import { BucketRing } from './bucket-ring.ts'
import { ChangeLog } from './change-log.ts'
import { type Challenge, challengeOf, provesSource } from './proof.ts'
import { entryOf, makeRows, type Rows, rowCount, sliceRows, writeEntry, writeGone } from './rows.ts'
import { type SourceKey, sourceRingKey } from './source.ts'

export type Origin = 'pinned' | 'assigned' | 'restored'

/** What is remembered of a source, in the table or on probation. */
export interface Entry {
  container: number
  origin: Origin
  sinceSeconds: number
  seenSeconds: number
  /** What the source has sent since there is an entry. `packets` stays at the most that fits 32 bits. */
  packets: number
  bytes: number
}

interface Candidate extends Entry {
  challenge: Challenge | undefined
}

export interface TableCounters {
  probation: number
  made: number
  moved: number
  full: number
  overQuota: number
  expired: number
}

export const NO_TURNOVER: Readonly<TableCounters> = {
  probation: 0,
  made: 0,
  moved: 0,
  full: 0,
  overQuota: 0,
  expired: 0,
}

const MOST_PACKETS = 0xffff_ffff

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
  readonly #changes: ChangeLog
  #listing: Rows = makeRows(0)
  readonly #sources = new Map<number, number>()
  #size = 0
  readonly counters: TableCounters = { ...NO_TURNOVER }

  constructor(capacity: number, probation: number, hashKey: Uint8Array) {
    this.#capacity = capacity
    this.#probation = new BucketRing(probation, hashKey)
    this.#changes = new ChangeLog(capacity)
  }

  get size(): number {
    return this.#size
  }

  /** How many entries lead to a container. */
  sourcesOn(container: number): number {
    return this.#sources.get(container) ?? 0
  }

  /** Entries by scope. */
  *sizes(): Iterable<readonly [scope: number, entries: number]> {
    for (const [scope, entries] of this.#scopes) yield [scope, entries.size]
  }

  lookup(key: SourceKey, now: number, idle: number): Entry | undefined {
    return this.#proven(key, now, idle) ?? this.#candidate(key, now, idle)
  }

  /**
   * A source's packet goes to `container`: keeps the entry fresh, moves it, or brings the source closer to one, which it
   * gets unless its scope has `quota` of them. `found` is what lookup said for the same packet.
   */
  remember(
    key: SourceKey,
    found: Entry | undefined,
    container: number,
    origin: Origin,
    packet: Packet,
    quota: number,
    now: number,
  ): void {
    if (found !== undefined && !isCandidate(found)) this.#keep(key, found, container, origin, packet, now)
    else if (found?.container !== container) this.#admit(key, container, origin, now)
    else if (found.challenge && provesSource(packet, found.challenge))
      this.#promote(key, found, packet, quota, now)
    else found.seenSeconds = now
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
      for (const [source, entry] of entries) if (isIdle(entry, now, idle)) this.#drop({ scope, source }, true)
    }
    this.counters.expired += before - this.#size
    return before - this.#size
  }

  /** Entries from cursor on, 0 for the first, at most `most`; of the table as it was at the first. `next` is 0 at the end. */
  rows(cursor: number, most: number): { readonly next: number; readonly rows: Rows } {
    if (cursor === 0) this.#listing = this.#all()
    const end = Math.min(cursor + most, rowCount(this.#listing))
    const rows = sliceRows(this.#listing, cursor, end)
    return { next: end === rowCount(this.#listing) ? 0 : end, rows }
  }

  /** The entries of the rows' keys, as many as there are. */
  find(rows: Rows): Rows {
    return findEach(rows, (key) => this.#entry(key))
  }

  /** What is on probation of the rows' keys, idle or not. */
  findOnProbation(rows: Rows): Rows {
    return findEach(rows, (key) => this.#probation.lookup(sourceRingKey(key)))
  }

  changes = (position: number, most: number) => this.#changes.read(position, most)

  /** Makes or replaces entries, quota or not. Returns how many rows found no room; with `isWhole` none is put then. */
  put(rows: Rows, isWhole: boolean): number {
    if (isWhole) {
      const lacking = this.#size + this.#countNew(rows) - this.#capacity
      if (lacking > 0) return lacking
    }
    let lacking = 0
    for (let row = 0; row < rowCount(rows); row++) {
      const { scope, source, ...entry } = entryOf(rows, row)
      if (this.#entry({ scope, source }) === undefined && this.#size >= this.#capacity) lacking++
      else this.#store({ scope, source }, entry)
    }
    return lacking
  }

  /** Removes the entries of the rows' keys. Returns how many there were. */
  forget(rows: Rows): number {
    const before = this.#size
    for (let row = 0; row < rowCount(rows); row++) this.#drop(entryOf(rows, row), false)
    return before - this.#size
  }

  #all(): Rows {
    const rows = makeRows(this.#size)
    let row = 0
    for (const [scope, entries] of this.#scopes)
      for (const [source, entry] of entries) writeEntry(rows, row++, { scope, source, ...entry })
    return rows
  }

  #countNew(rows: Rows): number {
    let count = 0
    for (let row = 0; row < rowCount(rows); row++) if (this.#entry(entryOf(rows, row)) === undefined) count++
    return count
  }

  #entry({ scope, source }: SourceKey): Entry | undefined {
    return this.#scopes.get(scope)?.get(source)
  }

  #proven(key: SourceKey, now: number, idle: number): Entry | undefined {
    const entry = this.#entry(key)
    return entry === undefined || isIdle(entry, now, idle) ? undefined : entry
  }

  #candidate(key: SourceKey, now: number, idle: number): Candidate | undefined {
    const candidate = this.#probation.lookup(sourceRingKey(key))
    return candidate === undefined || isIdle(candidate, now, idle) ? undefined : candidate
  }

  #keep(key: SourceKey, entry: Entry, container: number, origin: Origin, packet: Packet, now: number): void {
    const former = entry.container
    const isMoved = former !== container
    const isChanged = isMoved || entry.origin !== origin
    if (isMoved) {
      this.counters.moved++
      this.#count(former, -1)
      this.#count(container, 1)
    }
    entry.container = container
    entry.origin = origin
    entry.seenSeconds = now
    if (isChanged) this.#changed(key, entry, former)
    entry.packets = Math.min(entry.packets + 1, MOST_PACKETS)
    entry.bytes += packet.length
  }

  #admit(key: SourceKey, container: number, origin: Origin, now: number): void {
    this.counters.probation++
    const times = { sinceSeconds: now, seenSeconds: now }
    const candidate = { container, origin, ...times, packets: 0, bytes: 0, challenge: undefined }
    this.#probation.store(sourceRingKey(key), candidate)
  }

  #promote(key: SourceKey, candidate: Candidate, packet: Packet, quota: number, now: number): void {
    candidate.seenSeconds = now
    if (this.#entry(key) === undefined) {
      const refusal = this.#refusal(key, quota)
      if (refusal !== undefined) {
        this.counters[refusal]++
        return
      }
    }
    const { challenge: _, ...entry } = candidate
    this.#store(key, { ...entry, packets: 1, bytes: packet.length })
    this.counters.made++
    this.#probation.remove(sourceRingKey(key))
  }

  #refusal(key: SourceKey, quota: number): 'full' | 'overQuota' | undefined {
    if (this.#size >= this.#capacity) return 'full'
    return (this.#scopes.get(key.scope)?.size ?? 0) >= quota ? 'overQuota' : undefined
  }

  #store(key: SourceKey, entry: Entry): void {
    const entries = this.#scopes.get(key.scope) ?? new Map<Address, Entry>()
    this.#scopes.set(key.scope, entries)
    const earlier = entries.get(key.source)
    if (earlier === undefined) this.#size++
    else this.#count(earlier.container, -1)
    this.#count(entry.container, 1)
    entries.set(key.source, entry)
    this.#changed(key, entry, earlier?.container)
  }

  #drop(key: SourceKey, wasIdle: boolean): void {
    const entries = this.#scopes.get(key.scope)
    const entry = entries?.get(key.source)
    if (entries === undefined || entry === undefined) return
    entries.delete(key.source)
    this.#count(entry.container, -1)
    this.#size--
    if (entries.size === 0) this.#scopes.delete(key.scope)
    this.#changes.add((rows, row) => writeGone(rows, row, key, entry.container, wasIdle))
  }

  #count(container: number, change: 1 | -1): void {
    this.#sources.set(container, this.sourcesOn(container) + change)
  }

  #changed({ scope, source }: SourceKey, entry: Entry, former: number | undefined): void {
    this.#changes.add((rows, row) => writeEntry(rows, row, { scope, source, ...entry }, former))
  }
}

/** Whether it is on probation. */
export const isCandidate = (found: Entry): found is Candidate => 'challenge' in found

function findEach(rows: Rows, entryOfKey: (key: SourceKey) => Entry | undefined): Rows {
  const found = makeRows(rowCount(rows))
  let count = 0
  for (let row = 0; row < rowCount(rows); row++) {
    const { scope, source } = entryOf(rows, row)
    const entry = entryOfKey({ scope, source })
    if (entry !== undefined) writeEntry(found, count++, { scope, source, ...entry })
  }
  return sliceRows(found, 0, count)
}

/** Out-of-order times count as just seen. */
export const isIdle = (entry: Readonly<Entry>, now: number, idle: number): boolean =>
  now - entry.seenSeconds > idle
