/**
 * What a million entries cost: on their way back from the store before the first packet, through `onehop table import` and
 * `export`, and in memory. In a process of its own, whose memory is a figure too.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { EngineFigure } from './figure.ts'
import { distributionOf } from './summary.ts'
import { type Bound, isWithin } from './targets.ts'

export const ENTRIES = 1_000_000

/** What test/bench/table-process.ts prints. */
export interface TableFigures {
  readonly bytesAnEntry: number
  readonly restoreSeconds: number
  readonly importSeconds: number
  readonly exportSeconds: number
}

const FIGURES: readonly (readonly [key: keyof TableFigures, title: string, unit: string, limit: number])[] = [
  ['restoreSeconds', 'a million entries: back from the store', 's', 1],
  ['importSeconds', 'the same: `onehop table import` of CSV', 's', 5],
  ['exportSeconds', 'the same: `onehop table export` as CSV', 's', 5],
  ['bytesAnEntry', 'a full table, memory an entry', 'bytes', 64],
]

export function measureTable(rounds: number): readonly EngineFigure[] {
  const all = Array.from({ length: rounds }, measureInProcess)
  return FIGURES.map(([key, title, unit, limit]) => {
    const bound: Bound = { kind: 'at most', limit }
    const value = distributionOf(all.map((figures) => figures[key]))!
    return { title, unit, bound, value, isReached: isWithin(value.median, bound) }
  })
}

function measureInProcess(): TableFigures {
  const program = join(import.meta.dirname, 'table-process.ts')
  const printed = execFileSync('node', ['--expose-gc', '--import', 'tsx', program], { encoding: 'utf8' })
  return JSON.parse(printed) as TableFigures
}
