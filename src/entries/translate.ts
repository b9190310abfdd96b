import type { Scopes } from '../scope.ts'
import type { TableRecord } from '../table/record.ts'
import { containerOf, RESTORED, ROW_WORDS, scopeOf, seenOf, sinceOf } from '../table/rows.ts'

/** What the data planes count in, and what records count in. */
export interface TableClock {
  nowSeconds(): number
  /** When `nowSeconds` was 0, in milliseconds since 1970. */
  zeroMs(): number
}

/** No scope has this number: a row that bears it is of no entry. */
const NO_SCOPE = 0

/**
 * Gives a record's rows this process's numbers and times, and the origin `restored`; false for one whose container or scope
 * is gone. `seenLate`: by how many seconds what was last seen may have been written too early.
 */
export function translator(
  { rows, scopes, containers, zeroMs }: TableRecord,
  known: Scopes,
  clock: TableClock,
  seenLate: number,
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
    rows[at + 7] = clampTime(seenOf(rows, row) + later + seenLate, now)
    return container !== undefined
  }
}

/** Not in the future, whatever became of the wall clock, and not before what 32 bits reach back to. */
const clampTime = (seconds: number, now: number): number => Math.max(-(2 ** 31), Math.min(seconds, now))
