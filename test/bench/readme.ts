/** The README's figures: made from results/measured.json, and never written by hand. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { drawChart } from './chart.ts'
import { encodeResults, formatReport, type Results } from './report.ts'

export const RESULTS = join(import.meta.dirname, 'results')
const LATEST = join(RESULTS, 'latest.json')
const MEASURED = join(RESULTS, 'measured.json')
const CHART = join(RESULTS, 'measured.svg')
const README = join(import.meta.dirname, '../../README.md')

const [START, END] = ['<!-- from test/bench/results/measured.json -->\n', '<!-- until here -->\n']
const LEAST_ROUNDS = 5

/** What the README says was measured. */
export const readMeasured = (): Results => JSON.parse(readFileSync(MEASURED, 'utf8')) as Results

/**
 * Takes over the latest run, where there is one, and writes README and chart anew. Throws for a run of too few rounds: its
 * medians would say nothing.
 */
export function updateReadme(): void {
  if (existsSync(LATEST)) takeOver(JSON.parse(readFileSync(LATEST, 'utf8')) as Results)
  const results = readMeasured()
  writeFileSync(CHART, drawChart(results))
  writeFileSync(README, withFigures(readFileSync(README, 'utf8'), results))
}

function takeOver(results: Results): void {
  const { rounds } = results
  if (rounds < LEAST_ROUNDS)
    throw new Error(`${LATEST}: a run of ${rounds} rounds; expected ${LEAST_ROUNDS} at least`)
  writeFileSync(MEASURED, encodeResults({ ...results, inspections: {} }))
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
