/**
 * What a change of one service costs where there are ten thousand with ten containers each and a million sources in the
 * table: a container goes down or comes back, and the snapshot that knows it is in force. In a process of its own, whose
 * memory is a figure too.
 */
import { type EngineFigure, figureOf } from './figure.ts'
import { inTurn, runProgram } from './program.ts'
import type { Bound } from './targets.ts'

export const SERVICES = 10_000
export const CONTAINERS = 10
export const SOURCES = 1_000_000

/** What test/bench/publish-process.ts prints. */
export interface PublishFigures {
  /** Each change's, in milliseconds. */
  readonly changes: readonly number[]
  readonly firstMs: number
  readonly residentMegabytes: number
}

const CHANGE: Bound = { kind: 'at most', limit: 10 }
const MEMORY: Bound = { kind: 'at most', limit: 300 }

export async function measurePublishing(rounds: number): Promise<readonly EngineFigure[]> {
  const all = await inTurn(rounds, () => runProgram<PublishFigures>('publish-process.ts'))
  const sorted = all.map(({ changes }) => [...changes].sort((a, b) => a - b))
  const where = `${amount(SERVICES)} services × ${CONTAINERS} containers, ${amount(SOURCES)} sources`
  return [
    figureOf(
      `${where}: a change of one service, median`,
      'ms',
      CHANGE,
      sorted.map((ms) => ms[ms.length >> 1]!),
    ),
    figureOf(
      'the same, longest',
      'ms',
      CHANGE,
      sorted.map((ms) => ms.at(-1)!),
    ),
    figureOf(
      'the same, the whole process',
      'MB',
      MEMORY,
      all.map(({ residentMegabytes }) => residentMegabytes),
    ),
  ]
}

const amount = (count: number): string => count.toLocaleString('en')
