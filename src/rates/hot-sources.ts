import { setTimeout as rest } from 'node:timers/promises'
import type { Address } from '../address.ts'
import type { Engine, Traffic } from '../dataplane/dataplane.ts'
import { entryOf, ROW_WORDS, type Rows, rowCount, sliceRows } from '../table/rows.ts'

/** A source with what it sent a second, between two walks of the table. */
export interface HotSource extends Traffic {
  readonly source: Address
  /** Ids. */
  readonly scope: number
  readonly container: number
}

export interface HotSources {
  /** false before there have been walks enough. */
  readonly isMeasured: boolean
  /** What the counts are of. */
  readonly intervalMs: number
  /** Most packets first. */
  readonly sources: readonly HotSource[]
}

type Table = Pick<Engine, 'rows'>

/** A page takes the event loop less than a millisecond, and then it has four times as long for others. */
const ROWS_A_PAGE = 8_192
const REST = 4
/** Rows that are looked at one by one; and how many a fair choice of buckets is to bring. */
const MOST_KEPT = 8_192
const WANTED = 4_096
const FEWEST_BUCKETS = 4_096
const MOST_BUCKETS = 262_144
/** Two to know how much buckets grow, one to keep those that do, one to compare. */
const WALKS = 4
/** The same for a table that is kept whole. */
const WALKS_OF_ALL = 2
const ENTRIES_A_BUCKET = 16
export const MOST_HOT = 100

/**
 * Which sources send most, found without remembering what each of a million had sent. A walk sums the entries' counters
 * up in buckets by a hash of the source; of the buckets that grew most since the walk before, the next walk keeps every
 * entry, and the one after that knows what each of these has sent. A source that sends most is in a bucket that grew at
 * least as much. Small tables are kept whole. Memory: 17 bytes a bucket (4.5 MB at most) and 8,192 rows.
 */
export class HotSourceWalk {
  readonly #table: Table
  readonly #multipliers: readonly number[]
  readonly #isListed: Uint8Array
  readonly #kept: Rows = new Uint32Array(MOST_KEPT * ROW_WORDS)
  #keptCount = 0
  #sums: Float64Array
  #sumsBefore: Float64Array
  #before = new Map<string, Traffic>()
  #walks = 0
  /** Walks in a row that kept the whole table. */
  #walksOfAll = 0
  #endedMs = 0
  #isClosed = false

  /** `random`: odd words, so that nobody can choose sources that share a bucket. */
  constructor(table: Table, capacity: number, random: () => number) {
    this.#table = table
    this.#multipliers = Array.from({ length: 5 }, () => random() | 1)
    const wanted = 2 ** Math.ceil(Math.log2(capacity / ENTRIES_A_BUCKET))
    const buckets = Math.min(Math.max(wanted, FEWEST_BUCKETS), MOST_BUCKETS)
    this.#isListed = new Uint8Array(buckets)
    this.#sums = new Float64Array(buckets)
    this.#sumsBefore = new Float64Array(buckets)
  }

  /** Walks the table once; `entries`: about how many it has. The first result is that of the second walk, of the fourth where the table is large. */
  async walk(entries: number): Promise<HotSources> {
    this.#keptCount = 0
    this.#sums.fill(0)
    const isKeptWhole = entries <= WANTED
    this.#walksOfAll = isKeptWhole ? this.#walksOfAll + 1 : 0
    if (isKeptWhole) this.#isListed.fill(1)
    let cursor = 0
    do {
      const startMs = performance.now()
      const { next, rows } = this.#table.rows(cursor, ROWS_A_PAGE)
      this.#add(rows)
      cursor = next
      if (cursor !== 0) await rest((performance.now() - startMs) * REST)
    } while (cursor !== 0 && !this.#isClosed)
    const found = this.#compare()
    this.#chooseBuckets(entries)
    ;[this.#sums, this.#sumsBefore] = [this.#sumsBefore, this.#sums]
    return found
  }

  /** A walk under way ends with its page. */
  close(): void {
    this.#isClosed = true
  }

  #add(rows: Rows): void {
    const [a, b, c, d, e] = this.#multipliers as [number, number, number, number, number]
    const mask = this.#sums.length - 1
    for (let at = 0; at < rows.length; at += ROW_WORDS) {
      const mixed =
        Math.imul(rows[at]! ^ b, a) ^
        Math.imul(rows[at + 1]! ^ c, b) ^
        Math.imul(rows[at + 2]! ^ d, c) ^
        Math.imul(rows[at + 3]! ^ e, d) ^
        Math.imul(rows[at + 4]! ^ a, e)
      const bucket = (Math.imul(mixed ^ (mixed >>> 15), e) >>> 12) & mask
      this.#sums[bucket]! += rows[at + 8]!
      if (this.#isListed[bucket] === 1 && this.#keptCount < MOST_KEPT)
        this.#kept.set(rows.subarray(at, at + ROW_WORDS), this.#keptCount++ * ROW_WORDS)
    }
  }

  /** What each of the kept entries has sent since the walk before kept it. */
  #compare(): HotSources {
    const nowMs = performance.now()
    const intervalMs = nowMs - this.#endedMs
    const isMeasured = ++this.#walks >= WALKS || this.#walksOfAll >= WALKS_OF_ALL
    this.#endedMs = nowMs
    const kept = new Map<string, Traffic>()
    const sources: HotSource[] = []
    const rows = sliceRows(this.#kept, 0, this.#keptCount)
    for (let row = 0; row < rowCount(rows); row++) {
      const { source, scope, container, packets, bytes } = entryOf(rows, row)
      const key = `${scope}/${source}`
      const before = this.#before.get(key)
      // Met twice when it moved meanwhile.
      if (!kept.has(key) && before !== undefined && packets > before.packets) {
        const perSecond = (count: keyof Traffic) =>
          ((count === 'packets' ? packets : bytes) - before[count]) / (intervalMs / 1000)
        sources.push({ source, scope, container, packets: perSecond('packets'), bytes: perSecond('bytes') })
      }
      kept.set(key, { packets, bytes })
    }
    this.#before = kept
    sources.sort((a, b) => b.packets - a.packets)
    return { isMeasured, intervalMs, sources: isMeasured ? sources.slice(0, MOST_HOT) : [] }
  }

  #chooseBuckets(entries: number): void {
    const buckets = this.#sums.length
    this.#isListed.fill(0)
    if (this.#walks < 2) return
    const most = Math.max(Math.floor(WANTED / Math.max(entries / buckets, 1)), 8)
    const grown = new Float64Array(buckets)
    for (let bucket = 0; bucket < buckets; bucket++)
      grown[bucket] = this.#sums[bucket]! - this.#sumsBefore[bucket]!
    const least = Math.max(grown.toSorted()[Math.max(buckets - most, 0)]!, 1)
    for (let bucket = 0; bucket < buckets; bucket++) if (grown[bucket]! >= least) this.#isListed[bucket] = 1
  }
}
