/**
 * What a change of one service costs where there are ten thousand with ten containers each and a million sources in the
 * table: a container goes down or comes back, and the snapshot that knows it is in force. In a process of its own, whose
 * memory is a figure too.
 */
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import type { EngineFigure } from './figure.ts'
import { distributionOf } from './summary.ts'
import { type Bound, isWithin } from './targets.ts'

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

export function measurePublishing(rounds: number): readonly EngineFigure[] {
  const all = Array.from({ length: rounds }, publishInProcess)
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

function publishInProcess(): PublishFigures {
  const program = join(import.meta.dirname, 'publish-process.ts')
  const options = { encoding: 'utf8', maxBuffer: 1 << 24 } as const
  return JSON.parse(
    execFileSync('node', ['--expose-gc', '--import', 'tsx', program], options),
  ) as PublishFigures
}

const amount = (count: number): string => count.toLocaleString('en')

function figureOf(title: string, unit: string, bound: Bound, measured: readonly number[]): EngineFigure {
  const value = distributionOf(measured)!
  return { title, unit, bound, value, isReached: isWithin(value.median, bound) }
}
