/** What was measured, of one run or of several: each that is measured anew takes the place of what it was, and nothing else's. */
import { spawnSync } from 'node:child_process'
import type { EngineFigure } from './figure.ts'
import { LOADS } from './loads.ts'
import { describeMachine, type Machine } from './machine.ts'
import type { Failure, Measurements, Sample } from './measure.ts'

/** Of whom samples, failures and figures are, by `at`. */
export interface Run {
  /** ISO 8601, UTC. */
  readonly at: string
  /** With a `+` when files differed from it; nothing outside of a repository. */
  readonly commit: string
  readonly machine: Machine
  readonly rounds: number
  readonly seconds: number
}

export interface Figure extends EngineFigure {
  readonly run: string
  /** What --only calls it. */
  readonly part: string
}

export interface Results {
  /** The newest last; only those of whom there is something. */
  readonly runs: readonly Run[]
  readonly samples: readonly Sample[]
  readonly failures: readonly Failure[]
  readonly figures: readonly Figure[]
  readonly inspections: Readonly<Record<string, unknown>>
}

/** What one run has found so far. */
export type Found = Measurements & Pick<Results, 'figures'>

export const NOTHING: Results = { runs: [], samples: [], failures: [], figures: [], inspections: {} }

export const describeRun = (rounds: number, seconds: number): Run => ({
  at: new Date().toISOString(),
  commit: describeCommit(),
  machine: describeMachine(),
  rounds,
  seconds,
})

function describeCommit(): string {
  const argv = ['describe', '--always', '--dirty=+', '--exclude=*']
  const { status, stdout } = spawnSync('git', argv, { cwd: import.meta.dirname, encoding: 'utf8' })
  return status === 0 ? stdout.trim() : ''
}

/** A metric of a leg, or a part's figures, are of one run as a whole. */
export function mergeResults(before: Results, run: Run, found: Found): Results {
  const measured = new Set(found.samples.map(keyOf))
  const parts = new Set(found.figures.map(({ part }) => part))
  const samples = [...before.samples.filter((sample) => !measured.has(keyOf(sample))), ...found.samples]
  const figures = [...before.figures.filter(({ part }) => !parts.has(part)), ...found.figures]
  const isMended = ({ leg, load }: Failure) =>
    metricsOf(load).some((metric) => measured.has(keyOf({ leg, metric })))
  const failures = [...before.failures.filter((failure) => !isMended(failure)), ...found.failures]
  const used = new Set([...samples, ...figures, ...found.failures].map((one) => one.run))
  return {
    runs: [...before.runs.filter(({ at }) => at !== run.at), run].filter(({ at }) => used.has(at)),
    samples,
    failures: failures.filter((failure) => used.has(failure.run)),
    figures,
    inspections: { ...before.inspections, ...found.inspections },
  }
}

const keyOf = ({ leg, metric }: Pick<Sample, 'leg' | 'metric'>): string => `${leg} ${metric}`

const metricsOf = (load: string): readonly string[] =>
  LOADS.filter(({ name }) => name === load).flatMap(({ metrics }) => metrics.map(({ name }) => name))

/** As JSON, a sample a line. */
export function encodeResults({ samples, ...rest }: Results): string {
  const lines = samples.map((sample) => `    ${JSON.stringify(sample)}`).join(',\n')
  return `${JSON.stringify({ ...rest, samples: [] }, null, 2).replace(/\[\]\n\}$/, `[\n${lines}\n  ]\n}`)}\n`
}
