import { type TableClock, translator } from '../entries/translate.ts'
import type { Scopes } from '../scope.ts'
import type { TableRecord } from '../table/record.ts'
import { isGone, type Rows, rowCount, scopeOf, sliceRows, sourceOf } from '../table/rows.ts'

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
    const translate = translator(record, this.#known, this.#clock, SEEN_LATE_SECONDS)
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
