import type { Leg } from './leg.ts'
import { baseOf, growthLegs } from './legs/growth.ts'
import { LEGS } from './legs.ts'
import type { Metric } from './load.ts'
import { LOADS } from './loads.ts'
import { isBusy } from './machine.ts'
import type { Sample } from './measure.ts'
import type { Figure, Results, Run } from './results.ts'
import { type Distribution, distributionOf, ratiosOf, valuesOf } from './summary.ts'
import { type Bound, type Judgement, judge } from './targets.ts'

/** Markdown that a terminal shows well, too. */
export function formatReport(results: Results): string {
  const grown = new Set(growthLegs)
  const ways = LEGS.filter((leg) => !grown.has(leg))
  const tables = [
    ...COLUMNS.map((metrics) => trafficTable(results, ways, metrics)),
    growthTable(results),
    targetTable(judge(results.samples)),
    figureTable(results),
  ].filter((table) => table !== '')
  return [...tables, formatConditions(results)].join('\n')
}

/** A line a leg, a column a metric. */
function trafficTable({ runs, samples }: Results, legs: readonly Leg[], names: readonly string[]): string {
  const metrics = METRICS.filter(
    ({ name }) => names.includes(name) && samples.some(({ metric }) => metric === name),
  )
  const of = (leg: Leg, { name }: Metric) => distributionOf(valuesOf(samples, name, leg.name))
  const shown = legs.filter((leg) => metrics.some((metric) => of(leg, metric) !== undefined))
  const rows = shown.map((leg) => [
    leg.title,
    ...metrics.map((metric) => formatDistribution(of(leg, metric))),
  ])
  const heading = metrics.map(({ title, unit }) => `${title} (${unit})`)
  const isShown = new Set(shown.map(({ name }) => name))
  const used = samples.filter(({ leg, metric }) => isShown.has(leg) && names.includes(metric))
  return rows.length === 0 ? '' : formatMarkdown([['', ...heading], ...rows]) + formatOrigin(runs, used)
}

/** Ratios to what has one of everything, round by round; what idling takes is itself. */
function growthTable({ runs, samples }: Results): string {
  const shown = growthLegs.filter(
    ({ name }) => name !== baseOf(name) && samples.some(({ leg }) => leg === name),
  )
  const rows = shown.map(({ name, title }) => [
    title,
    ...['connections', 'p50', 'packets'].map((metric) =>
      formatDistribution(distributionOf(ratiosOf(samples, metric, name, baseOf(name)))),
    ),
    ...['idle', 'memory'].map((metric) =>
      formatDistribution(distributionOf(valuesOf(samples, metric, name))),
    ),
  ])
  const heading = ['new connections', 'round trip', '64-byte packets', 'idle (%)', 'memory (MB)']
  const used = samples.filter(({ leg }) => shown.some(({ name }) => name === leg))
  return rows.length === 0
    ? ''
    : formatMarkdown([['as a multiple of one of each', ...heading], ...rows]) + formatOrigin(runs, used)
}

/** Whose a table's figures are, where there are several runs. */
function formatOrigin(runs: readonly Run[], used: readonly (Sample | Figure)[]): string {
  if (runs.length < 2) return ''
  const namesOf = ({ at }: Run) => [
    ...new Set(used.filter(({ run }) => run === at).map((one) => ('leg' in one ? one.leg : one.part))),
  ]
  const lines = runs
    .map((run) => ({ run, names: namesOf(run) }))
    .filter(({ names }) => names.length > 0)
    .map(({ run, names }) => `run ${nameRun(run)}: ${names.join(', ')}`)
  return `\n${lines.join('; ').replace(/^./, (first) => first.toUpperCase())}.\n`
}

const nameRun = ({ at, commit }: Run): string => `${at.slice(0, 16).replace('T', ' ')} ${commit}`.trimEnd()

const COLUMNS: readonly (readonly string[])[] = [
  ['bulk', 'bulk-4', 'bulk-reverse', 'p50', 'p99'],
  ['connections', 'requests', 'packets', 'cpu'],
  ['idle', 'memory'],
]

export const METRICS: readonly Metric[] = LOADS.flatMap(({ metrics }) => metrics)

const TARGET_HEADING = ['', 'wanted', 'measured', '']

/** What is compared is always of one run. */
function targetTable(judgements: readonly Judgement[]): string {
  const rows = judgements.map((judgement) => [
    nameTarget(judgement),
    formatBound(judgement.bound) + (judgement.than === undefined ? '' : ' ×'),
    formatDistribution(judgement.value),
    judgement.isNoise ? 'not told from noise' : formatReached(judgement.isReached),
  ])
  return rows.length === 0 ? '' : formatMarkdown([TARGET_HEADING, ...rows])
}

function figureTable({ runs, figures }: Results): string {
  const rows = figures.map(({ title, unit, bound, value, isReached }) => [
    `${title} (${unit})`,
    formatBound(bound),
    formatDistribution(value),
    formatReached(isReached),
  ])
  return rows.length === 0 ? '' : formatMarkdown([TARGET_HEADING, ...rows]) + formatOrigin(runs, figures)
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

const formatConditions = ({ runs, failures }: Results): string =>
  runs
    .map((run) => {
      const failed = failures.filter((failure) => failure.run === run.at).length
      const lines = conditionsOf(run, failed)
      if (runs.length > 1) lines.unshift(`Run ${nameRun(run)}:`)
      return `${lines.join('\n').replace(/^./, (first) => first.toUpperCase())}\n`
    })
    .join('\n')

function conditionsOf({ machine, rounds, seconds, at, commit }: Run, failed: number): string[] {
  const { kernel, processor, processors, node } = machine
  const many = rounds > 1 ? `medians of ${rounds} rounds (least–most)` : 'one round only'
  const origin = [`${processors} × ${processor}`, `Node ${node.slice(1)}`, at.slice(0, 10), commit]
  return [
    `${many}, ${seconds} s each, all in one run and in turn; ratios are taken round by round.`,
    `Linux ${kernel}, ${origin.filter((part) => part !== '').join(', ')}.`,
    ...(isBusy(machine)
      ? [`**Not on a quiet machine**: ${machine.load.toFixed(1)} other processes ran.`]
      : []),
    ...(failed > 0 ? [`${failed} measurements failed and are not in here.`] : []),
  ]
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
