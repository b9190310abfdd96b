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
import { describeMachine, isBusy, type Machine } from './machine.ts'
import { type Listener, type Measurements, measure, type Plan } from './measure.ts'
import { type Options, parseOptions, USAGE } from './options.ts'
import { measurePublishing } from './publish.ts'
import { RESULTS, updateReadme } from './readme.ts'
import { type EngineFigure, encodeResults, formatNumber, formatReport, type Results } from './report.ts'
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
  const results = await runAll(options)
  writeResults(results)
  process.stdout.write(`\n${formatReport(results)}`)
  const isMissed = [...results.judgements, ...results.engine].some(({ isReached }) => !isReached)
  return results.failures.length > 0 || (options.check && isMissed) ? 1 : 0
}

async function runAll(options: Options): Promise<Results> {
  const { rounds, seconds } = options
  const machine = describeMachine()
  warnWhenBusy(machine)
  const frame = { at: new Date().toISOString(), machine, rounds, seconds }
  const resultsOf = (traffic: Measurements, engine: readonly EngineFigure[]): Results => ({
    ...frame,
    ...traffic,
    judgements: judge(traffic.samples),
    engine,
  })
  const none: Measurements = { samples: [], failures: [], inspections: {} }
  const measureOf = (legs: readonly Leg[], loads: readonly Load[], before: Measurements) =>
    measureTraffic({ legs, loads, rounds, seconds }, (soFar) =>
      writeResults(resultsOf(both(before, soFar), [])),
    ).then((after) => both(before, after))
  const traffic = options.loads.length > 0 ? await measureOf(options.legs, options.loads, none) : none
  const all = options.growth ? await measureOf(growthLegs, GROWTH_LOADS, traffic) : traffic
  return resultsOf(all, await measureOthers(options))
}

const both = (a: Measurements, b: Measurements): Measurements => ({
  samples: [...a.samples, ...b.samples],
  failures: [...a.failures, ...b.failures],
  inspections: { ...a.inspections, ...b.inspections },
})

/** One that fails does not lose the others' figures. */
async function measureOthers({ effect, engine, publish, table, rounds }: Options) {
  const wanted = [
    ...(effect ? [measureEffect] : []),
    ...(engine ? [measureEngines] : []),
    ...(publish ? [measurePublishing] : []),
    ...(table ? [measureTable] : []),
  ]
  const figures: EngineFigure[] = []
  for (const measureOne of wanted)
    try {
      figures.push(...(await measureOne(rounds)))
    } catch (error) {
      console.error(`${measureOne.name} failed: ${(error as Error).message}`)
      process.exitCode = 1
    }
  return figures
}

function warnWhenBusy(machine: Machine): void {
  if (!isBusy(machine)) return
  const { load, processors } = machine
  const busy = `${load.toFixed(1)} processes run already on ${processors} processors`
  console.error(`bench: ${busy}: figures will be low and spread wide, and latencies be others' doing`)
}

function measureTraffic(plan: Plan, onLoad: Listener['onLoad']): Promise<Measurements> {
  const servers = plan.loads.flatMap(({ server }) => server ?? [])
  requireTools([...plan.legs, ...plan.loads, ...servers].flatMap(({ tools }) => tools))
  return measure(plan, { ...progress, onLoad })
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

/** The latest run under fixed names; `--readme` takes it over. */
function writeResults(results: Results): void {
  mkdirSync(RESULTS, { recursive: true })
  writeFileSync(join(RESULTS, 'latest.json'), encodeResults(results))
  writeFileSync(join(RESULTS, 'latest.md'), formatReport(results))
  writeFileSync(join(RESULTS, 'latest.svg'), drawChart(results))
}

try {
  process.exitCode = (await main(process.argv.slice(2))) || process.exitCode
} catch (error) {
  console.error(`bench: ${(error as Error).message}`)
  process.exitCode = 2
}
