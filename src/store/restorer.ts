import type { Scopes } from '../scope.ts'
import type { TableRecord } from '../table/record.ts'
import {
  containerOf,
  isGone,
  RESTORED,
  ROW_WORDS,
  type Rows,
  rowCount,
  scopeOf,
  seenOf,
  sinceOf,
  sliceRows,
  sourceOf,
} from '../table/rows.ts'

export interface Restored {
  readonly entries: number
  /** Not restored, because the container or what shares the entry is gone. */
  readonly dropped: number
  /** Rows not restored because the table is full; a source may be among them twice. */
  readonly noRoom: number
}

export interface RestoringTable {
  put(rows: Rows, isWhole: boolean): number
  forget(rows: Rows): number
}

/** What the data planes count in, and what the store counts in. */
export interface TableClock {
  nowSeconds(): number
  /** When `nowSeconds` was 0, in milliseconds since 1970. */
  zeroMs(): number
}

/**
 * How old an entry's last-seen time in the store may be, at most: it is written when the whole table is. An entry in use
 * must not be idle after a restart, so that it is taken to have been seen that much later.
 */
export const SEEN_LATE_SECONDS = 600

/** Puts records into a table, in the order of `add`: what a later row says of a key is what counts. */
export class Restorer {
  readonly #table: RestoringTable
  readonly #known: Scopes
  readonly #clock: TableClock
  readonly #dropped = new Set<string>()
  #noRoom = 0

  constructor(table: RestoringTable, known: Scopes, clock: TableClock) {
    this.#table = table
    this.#known = known
    this.#clock = clock
  }

  /** The record's rows are changed. */
  add(record: TableRecord): void {
    const { rows } = record
    const translate = translator(record, this.#known, this.#clock)
    let start = 0
    let isPut = false
    for (let row = 0; row < rowCount(rows); row++) {
      const isDropped = !translate(row) && !isGone(rows, row)
      this.#note(record, row, isDropped)
      const isKept = !isDropped && !isGone(rows, row)
      if (isKept === isPut) continue
      this.#apply(sliceRows(rows, start, row), isPut)
      start = row
      isPut = isKept
    }
    this.#apply(sliceRows(rows, start, rowCount(rows)), isPut)
  }

  /** `entries`: how many the table holds now. */
  result(entries: number): Restored {
    return { entries, dropped: this.#dropped.size, noRoom: this.#noRoom }
  }

  #apply(rows: Rows, isPut: boolean): void {
    if (isPut) this.#noRoom += this.#table.put(rows, false)
    else this.#table.forget(rows)
  }

  #note({ rows, scopes }: TableRecord, row: number, isDropped: boolean): void {
    if (!isDropped && this.#dropped.size === 0) return
    const key = `${scopes.get(scopeOf(rows, row))}/${sourceOf(rows, row)}`
    if (isDropped) this.#dropped.add(key)
    else this.#dropped.delete(key)
  }
}

/** No scope has this number: a row that bears it is of no entry. */
const NO_SCOPE = 0

/** Gives a row this process's numbers and times. False when its container or its scope is gone. */
function translator(
  { rows, scopes, containers, zeroMs }: TableRecord,
  known: Scopes,
  clock: TableClock,
): (row: number) => boolean {
  const now = clock.nowSeconds()
  const later = Math.round((zeroMs - clock.zeroMs()) / 1000)
  const places = new Map(
    [...scopes].flatMap(([id, name]) => {
      const found = known.get(name)
      if (found === undefined) return []
      const own = [...containers].map(([old, title]) => [old, found.containers.get(title)] as const)
      return [[id, { scope: found.scope, containers: new Map(own) }] as const]
    }),
  )
  return (row) => {
    const at = row * ROW_WORDS
    const place = places.get(scopeOf(rows, row))
    const container = place?.containers.get(containerOf(rows, row))
    rows[at + 4] = (place?.scope ?? NO_SCOPE) * 2 + (rows[at + 4]! & 1)
    rows[at + 5] = (container ?? 0) + RESTORED
    rows[at + 6] = clampTime(sinceOf(rows, row) + later, now)
    rows[at + 7] = clampTime(seenOf(rows, row) + later + SEEN_LATE_SECONDS, now)
    return container !== undefined
  }
}

/** Not in the future, whatever became of the wall clock, and not before what 32 bits reach back to. */
const clampTime = (seconds: number, now: number): number => Math.max(-(2 ** 31), Math.min(seconds, now))
