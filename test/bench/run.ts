/**
 * `npm run bench [-- OPTIONS]`: measures the ways from a client to a container beside each other, and the engines
 * alone; prints the tables and writes them, and everything they were made from, into results/.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { drawChart } from './chart.ts'
import { measureEffect } from './effect.ts'
import { measureEngines } from './engine.ts'
import type { Leg } from './leg.ts'
import { growthLegs } from './legs/growth.ts'
import type { Load } from './load.ts'
import { GROWTH_LOADS } from './loads.ts'
import { isBusy, type Machine } from './machine.ts'
import { type Listener, type Measurements, measure } from './measure.ts'
import { type Options, parseOptions, USAGE } from './options.ts'
import { measurePublishing } from './publish.ts'
import { RESULTS, readLatest, updateReadme } from './readme.ts'
import { formatNumber, formatReport } from './report.ts'
import {
  describeRun,
  encodeResults,
  type Figure,
  type Found,
  mergeResults,
  NOTHING,
  type Results,
  type Run,
} from './results.ts'
import { measureTable } from './table.ts'
import { judge } from './targets.ts'
import { requireTools } from './tools.ts'

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv)
  if (options.help) {
    process.stdout.write(USAGE)
    return 0
  }
  if (options.readme) {
    updateReadme()
    return 0
  }
  const found = await runAll(options)
  const isMissed =
    judge(found.samples).some(({ isReached, isNoise }) => !isReached && !isNoise) ||
    found.figures.some(({ isReached }) => !isReached)
  return found.failures.length > 0 || (options.check && isMissed) ? 1 : 0
}

/** What this run found alone; the files have what earlier ones did, too. */
async function runAll(options: Options): Promise<Results> {
  const { rounds, seconds, quick } = options
  const run = describeRun(rounds, seconds)
  warnWhenBusy(run.machine)
  const earlier = quick ? NOTHING : readLatest()
  let found: Found = NOTHING
  const note = (more: Found) => {
    found = more
    writeResults(mergeResults(earlier, run, found), quick)
  }
  const measureTraffic = async (legs: readonly Leg[], loads: readonly Load[]) => {
    const before = found
    const onLoad = (soFar: Measurements) => note(both(before, { ...soFar, figures: [] }))
    requireToolsOf(legs, loads)
    onLoad(await measure({ run: run.at, legs, loads, rounds, seconds }, { ...progress, onLoad }))
  }
  if (options.loads.length > 0) await measureTraffic(options.legs, options.loads)
  if (options.growth) await measureTraffic(growthLegs, GROWTH_LOADS)
  for (const part of OTHERS.filter(({ name }) => options[name]))
    note(both(found, { ...NOTHING, figures: await measureOther(part, run) }))
  const results = mergeResults(NOTHING, run, found)
  process.stdout.write(`\n${formatReport(results)}`)
  return results
}

const both = (a: Found, b: Found): Found => ({
  samples: [...a.samples, ...b.samples],
  failures: [...a.failures, ...b.failures],
  inspections: { ...a.inspections, ...b.inspections },
  figures: [...a.figures, ...b.figures],
})

const OTHERS = [
  { name: 'effect', measure: measureEffect },
  { name: 'engine', measure: measureEngines },
  { name: 'publish', measure: measurePublishing },
  { name: 'table', measure: measureTable },
] as const

/** One that fails does not lose the others' figures. */
async function measureOther(
  { name: part, measure }: (typeof OTHERS)[number],
  { at: run, rounds }: Run,
): Promise<readonly Figure[]> {
  console.error(`${part} …`)
  try {
    return (await measure(rounds)).map((figure) => ({ ...figure, run, part }))
  } catch (error) {
    console.error(`${part} failed: ${(error as Error).message}`)
    process.exitCode = 1
    return []
  }
}

function warnWhenBusy(machine: Machine): void {
  if (!isBusy(machine)) return
  const { load, processors } = machine
  const busy = `${load.toFixed(1)} processes run already on ${processors} processors`
  console.error(`bench: ${busy}: figures will be low and spread wide, and latencies be others' doing`)
}

function requireToolsOf(legs: readonly Leg[], loads: readonly Load[]): void {
  const servers = loads.flatMap(({ server }) => server ?? [])
  requireTools([...legs, ...loads, ...servers].flatMap(({ tools }) => tools))
}

const progress: Omit<Listener, 'onLoad'> = {
  onSample(load, leg, samples) {
    const values = load.metrics.map(({ unit }, i) => `${formatNumber(samples[i]!.value)} ${unit}`)
    console.error(
      `round ${samples[0]!.round}  ${load.name.padEnd(12)}  ${leg.name.padEnd(10)}  ${values.join('  ')}`,
    )
  },
  onFailure({ round, load, leg, error }) {
    console.error(`round ${round}  ${load.padEnd(12)}  ${leg.padEnd(10)}  failed: ${error}`)
  },
}

/** What was measured latest under fixed names; `--readme` takes it over. */
function writeResults(results: Results, quick: boolean): void {
  const path = join(RESULTS, quick ? 'quick' : 'latest')
  mkdirSync(RESULTS, { recursive: true })
  writeFileSync(`${path}.json`, encodeResults(results))
  writeFileSync(`${path}.md`, formatReport(results))
  writeFileSync(`${path}.svg`, drawChart(results))
}

try {
  process.exitCode = (await main(process.argv.slice(2))) || process.exitCode
} catch (error) {
  console.error(`bench: ${(error as Error).message}`)
  process.exitCode = 2
}
