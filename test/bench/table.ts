/**
 * What a million entries cost: on their way back from the store before the first packet, through `onehop table import` and
 * `export`, and in memory. In a process of its own, whose memory is a figure too.
 */
import { type EngineFigure, figureOf } from './figure.ts'
import { inTurn, runProgram, withFolder } from './program.ts'

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

export async function measureTable(rounds: number): Promise<readonly EngineFigure[]> {
  const all = await inTurn(rounds, () =>
    withFolder((folder) => runProgram<TableFigures>('table-process.ts', folder)),
  )
  return FIGURES.map(([key, title, unit, limit]) =>
    figureOf(
      title,
      unit,
      { kind: 'at most', limit },
      all.map((figures) => figures[key]),
    ),
  )
}
