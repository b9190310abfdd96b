/** The README's figures: made from results/measured.json, and never written by hand. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { drawChart } from './chart.ts'
import { formatReport } from './report.ts'
import { encodeResults, NOTHING, type Results, type Run } from './results.ts'

export const RESULTS = join(import.meta.dirname, 'results')
const LATEST = join(RESULTS, 'latest.json')
const MEASURED = join(RESULTS, 'measured.json')
const CHART = join(RESULTS, 'measured.svg')
const README = join(import.meta.dirname, '../../README.md')

const [START, END] = ['<!-- from test/bench/results/measured.json -->\n', '<!-- until here -->\n']
const LEAST_ROUNDS = 5

/** What the README says was measured. */
export const readMeasured = (): Results => readResults(MEASURED)

function readResults(path: string): Results {
  const results = JSON.parse(readFileSync(path, 'utf8')) as Results
  if (results.runs === undefined)
    throw new Error(`${path}: written by another version; expected "runs" (remove it)`)
  return results
}

/** What earlier runs found, for this one to add to. */
export const readLatest = (): Results => (existsSync(LATEST) ? readResults(LATEST) : NOTHING)

/**
 * Takes over what was measured latest, where there is something, and writes README and chart anew. Throws for runs of too few
 * rounds, whose medians would say nothing, and for runs of different machines, whose figures do not stand beside each other.
 */
export function updateReadme(): void {
  const latest = readLatest()
  if (latest.runs.length > 0) takeOver(latest)
  const results = readMeasured()
  writeFileSync(CHART, drawChart(results))
  writeFileSync(README, withFigures(readFileSync(README, 'utf8'), results))
}

function takeOver(results: Results): void {
  requireComparable(results.runs)
  writeFileSync(MEASURED, encodeResults({ ...results, inspections: {} }))
}

export function requireComparable(runs: readonly Run[]): void {
  for (const { at, rounds } of runs)
    if (rounds < LEAST_ROUNDS)
      throw new Error(`${LATEST}: the run of ${at} has ${rounds} rounds; expected ${LEAST_ROUNDS} at least`)
  const machines = new Set(runs.map(nameMachine))
  if (machines.size > 1)
    throw new Error(
      `${LATEST}: runs of different machines (${[...machines].join('; ')}); expected one machine's`,
    )
}

const nameMachine = ({ machine }: Run): string => {
  const { kernel, processor, processors, memoryGb, node } = machine
  return `Linux ${kernel}, ${processors} × ${processor}, ${memoryGb} GB, Node ${node}`
}

/** `text` with the figures between its two marks. Throws when it lacks a mark. */
export function withFigures(text: string, results: Results): string {
  const [start, end] = [text.indexOf(START), text.indexOf(END)]
  if (start < 0 || end < start) throw new Error(`README.md: expected ${START.trim()} and ${END.trim()}`)
  return `${text.slice(0, start + START.length)}\n${formatReport(results)}\n${text.slice(end)}`
}

/** Whether README and chart are those of the results. */
export const isUpToDate = (results: Results): boolean => {
  const text = readFileSync(README, 'utf8')
  return withFigures(text, results) === text && readFileSync(CHART, 'utf8') === drawChart(results)
}
