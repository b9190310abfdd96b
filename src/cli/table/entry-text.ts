import { formatAddress } from '../../address.ts'
import { formatScope } from '../../scope.ts'
import type { TableRecord } from '../../table/record.ts'
import {
  bytesOf,
  containerOf,
  originOf,
  packetsOf,
  rowCount,
  scopeOf,
  seenOf,
  sinceOf,
  sourceOf,
} from '../../table/rows.ts'

/** One entry as it is listed, exported and imported; times in ISO 8601. */
export const FIELDS = ['scope', 'source', 'container', 'origin', 'since', 'seen', 'packets', 'bytes'] as const

export type Cells = readonly [
  scope: string,
  source: string,
  container: string,
  origin: string,
  since: string,
  seen: string,
  packets: number,
  bytes: number,
]

/** All entries of a record. */
export function* cellsIn({ rows, scopes, containers, zeroMs }: TableRecord): Iterable<Cells> {
  const names = new Map([...scopes].map(([id, name]) => [id, formatScope(name)]))
  const time = timeFormatter(zeroMs)
  for (let row = 0; row < rowCount(rows); row++)
    yield [
      names.get(scopeOf(rows, row)) ?? '-',
      formatAddress(sourceOf(rows, row)),
      containers.get(containerOf(rows, row)) ?? '-',
      originOf(rows, row),
      time(sinceOf(rows, row)),
      time(seenOf(rows, row)),
      packetsOf(rows, row),
      bytesOf(rows, row),
    ]
}

/** Most entries share their times with others: a date is made once. */
function timeFormatter(zeroMs: number): (seconds: number) => string {
  const texts = new Map<number, string>()
  return (seconds) => {
    const known = texts.get(seconds)
    if (known !== undefined) return known
    const ms = Math.round((zeroMs + seconds * 1000) / 1000) * 1000
    const text = new Date(ms).toISOString().replace('.000Z', 'Z')
    texts.set(seconds, text)
    return text
  }
}

/** No name, address or time has a comma or a quote in it. */
export const csvLine = (cells: readonly (string | number)[]): string => `${cells.join(',')}\n`

export const jsonLine = (cells: Cells): string =>
  `${JSON.stringify(Object.fromEntries(FIELDS.map((field, i) => [field, cells[i]])))}\n`
