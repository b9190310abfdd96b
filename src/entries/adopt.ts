import type { Scopes } from '../scope.ts'
import type { TableRecord } from '../table/record.ts'
import { containerOf, isSameKey, type Rows, rowCount, sliceRows } from '../table/rows.ts'
import { type TableClock, translator } from './translate.ts'

export interface AdoptingTable {
  find(rows: Rows): Rows
  put(rows: Rows, isWhole: boolean): number
}

export interface Adopted {
  /** Of those that can go on where they are, with this process's numbers. */
  readonly rows: Rows
  /** Of them, which the table did not have there. */
  readonly put: number
  readonly dropped: number
}

/** Rows put at once, and found. */
const AT_ONCE = 65_536

/**
 * Makes a table know what a daemon that died was still sending where. That is newer than what the store had of it. Sources whose
 * container or scope is gone are left out. The record's rows are changed.
 */
export function adopt(record: TableRecord, table: AdoptingTable, known: Scopes, clock: TableClock): Adopted {
  const rows = translated(record, known, clock)
  let put = 0
  for (let start = 0; start < rowCount(rows); start += AT_ONCE)
    put += putMissing(sliceRows(rows, start, Math.min(start + AT_ONCE, rowCount(rows))), table)
  return { rows, put, dropped: rowCount(record.rows) - rowCount(rows) }
}

/** Moved together, in order. */
function translated(record: TableRecord, known: Scopes, clock: TableClock): Rows {
  const { rows } = record
  const translate = translator(record, known, clock, 0)
  let kept = 0
  for (let row = 0; row < rowCount(rows); row++) {
    if (!translate(row)) continue
    if (kept !== row) sliceRows(rows, kept, kept + 1).set(sliceRows(rows, row, row + 1))
    kept++
  }
  return sliceRows(rows, 0, kept)
}

/** What is found is in the order in which it was asked for. */
function putMissing(rows: Rows, table: AdoptingTable): number {
  const found = table.find(rows)
  let at = 0
  let put = 0
  let start = 0
  const flush = (end: number) => {
    if (end > start) table.put(sliceRows(rows, start, end), false)
    put += end - start
  }
  for (let row = 0; row < rowCount(rows); row++) {
    const isFound = at < rowCount(found) && isSameKey(found, at, rows, row)
    const isThere = isFound && containerOf(found, at) === containerOf(rows, row)
    if (isFound) at++
    if (!isThere) continue
    flush(row)
    start = row + 1
  }
  flush(rowCount(rows))
  return put
}
