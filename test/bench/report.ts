import type { Leg } from './leg.ts'
import { baseOf, growthLegs } from './legs/growth.ts'
import { LEGS } from './legs.ts'
import type { Metric } from './load.ts'
import { LOADS } from './loads.ts'
import { isBusy, type Machine } from './machine.ts'
import type { Failure, Sample } from './measure.ts'
import { type Distribution, distributionOf, ratiosOf, valuesOf } from './summary.ts'
import type { Bound, Judgement } from './targets.ts'

/** A figure of an engine by itself. */
export interface EngineFigure {
  readonly title: string
  readonly unit: string
  readonly bound: Bound
  readonly value: Distribution
  readonly isReached: boolean
}

/** Everything that a run found; what is written as JSON, and what the tables are made from. */
export interface Results {
  readonly at: string
  readonly machine: Machine
  readonly rounds: number
  readonly seconds: number
  readonly samples: readonly Sample[]
  readonly failures: readonly Failure[]
  readonly judgements: readonly Judgement[]
  readonly engine: readonly EngineFigure[]
  readonly inspections: Readonly<Record<string, unknown>>
}

/** As JSON, a sample a line. */
export function encodeResults({ samples, ...rest }: Results): string {
  const lines = samples.map((sample) => `    ${JSON.stringify(sample)}`).join(',\n')
  return `${JSON.stringify({ ...rest, samples: [] }, null, 2).replace(/\[\]\n\}$/, `[\n${lines}\n  ]\n}`)}\n`
}

/** Markdown that a terminal shows well, too. */
export function formatReport(results: Results): string {
  const grown = new Set(growthLegs)
  const ways = LEGS.filter((leg) => !grown.has(leg))
  const tables = [
    ...trafficTables(results.samples, ways),
    growthTable(results.samples),
    targetTable(results),
  ].filter((table) => table !== '')
  return [...tables, formatConditions(results)].join('\n')
}

/** A line a leg, a column a metric; as many tables as it takes to be read. */
function trafficTables(samples: readonly Sample[], legs: readonly Leg[]): readonly string[] {
  return COLUMNS.map((names) => {
    const metrics = METRICS.filter(
      ({ name }) => names.includes(name) && samples.some(({ metric }) => metric === name),
    )
    const of = (leg: Leg, { name }: Metric) => distributionOf(valuesOf(samples, name, leg.name))
    const rows = legs
      .filter((leg) => metrics.some((metric) => of(leg, metric) !== undefined))
      .map((leg) => [leg.title, ...metrics.map((metric) => formatDistribution(of(leg, metric)))])
    const heading = metrics.map(({ title, unit }) => `${title} (${unit})`)
    return rows.length === 0 ? '' : formatMarkdown([['', ...heading], ...rows])
  })
}

/** Ratios to what has one of everything, round by round; what idling takes is itself. */
function growthTable(samples: readonly Sample[]): string {
  const rows = growthLegs
    .filter(({ name }) => name !== baseOf(name) && samples.some(({ leg }) => leg === name))
    .map(({ name, title }) => [
      title,
      ...['connections', 'p50', 'packets'].map((metric) =>
        formatDistribution(distributionOf(ratiosOf(samples, metric, name, baseOf(name)))),
      ),
      ...['idle', 'memory'].map((metric) =>
        formatDistribution(distributionOf(valuesOf(samples, metric, name))),
      ),
    ])
  const heading = ['new connections', 'round trip', '64-byte packets', 'idle (%)', 'memory (MB)']
  return rows.length === 0 ? '' : formatMarkdown([['as a multiple of one of each', ...heading], ...rows])
}

const COLUMNS: readonly (readonly string[])[] = [
  ['bulk', 'bulk-4', 'bulk-reverse', 'p50', 'p99'],
  ['connections', 'requests', 'packets', 'cpu'],
  ['idle', 'memory'],
]

export const METRICS: readonly Metric[] = LOADS.flatMap(({ metrics }) => metrics)

function targetTable({ judgements, engine }: Results): string {
  const rows = [
    ...judgements.map((judgement) => [
      nameTarget(judgement),
      formatBound(judgement.bound) + (judgement.than === undefined ? '' : ' ×'),
      formatDistribution(judgement.value),
      formatReached(judgement.isReached),
    ]),
    ...engine.map(({ title, unit, bound, value, isReached }) => [
      `${title} (${unit})`,
      formatBound(bound),
      formatDistribution(value),
      formatReached(isReached),
    ]),
  ]
  return rows.length === 0 ? '' : formatMarkdown([['', 'wanted', 'measured', ''], ...rows])
}

function nameTarget({ leg, than, metric }: Judgement): string {
  const { title, unit } = METRICS.find(({ name }) => name === metric)!
  return than === undefined ? `${title} (${unit}): ${leg}` : `${title}: ${leg} / ${than}`
}

const formatBound = ({ kind, limit }: Bound): string =>
  `${kind === 'at least' ? '≥' : '≤'} ${formatNumber(limit)}`

const formatReached = (isReached: boolean): string => (isReached ? 'reached' : '**missed**')

export const formatDistribution = (distribution: Distribution | undefined): string => {
  if (distribution === undefined) return '–'
  const { median, least, most, count } = distribution
  const spread = count > 1 ? ` (${formatNumber(least)}–${formatNumber(most)})` : ''
  return formatNumber(median) + spread
}

/** Three digits that count, and thousands apart. */
export function formatNumber(value: number): string {
  if (value < 1000) return String(Number(value.toPrecision(3)))
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',')
}

function formatConditions({ machine, rounds, seconds, at, failures }: Results): string {
  const { kernel, processor, processors, node } = machine
  const many = rounds > 1 ? `medians of ${rounds} rounds (least–most)` : 'one round only'
  const lines = [
    `${many}, ${seconds} s each, all in one run and in turn; ratios are taken round by round.`,
    `Linux ${kernel}, ${processors} × ${processor}, Node ${node.slice(1)}, ${at.slice(0, 10)}.`,
    ...(isBusy(machine)
      ? [`**Not on a quiet machine**: ${machine.load.toFixed(1)} other processes ran.`]
      : []),
    ...(failures.length > 0 ? [`${failures.length} measurements failed and are not in here.`] : []),
  ]
  return `${lines.join('\n').replace(/^./, (first) => first.toUpperCase())}\n`
}

/** The first row is the heading; the first column is text, the others are figures. */
function formatMarkdown(rows: readonly (readonly string[])[]): string {
  const widths = rows[0]!.map((_, i) => Math.max(3, ...rows.map((row) => row[i]!.length)))
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |\n`
  const [heading, ...body] = rows.map((row) =>
    line(row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))),
  )
  const ruler = line(widths.map((width, i) => '-'.repeat(width - (i === 0 ? 0 : 1)) + (i === 0 ? '' : ':')))
  return [heading, ruler, ...body].join('')
}
