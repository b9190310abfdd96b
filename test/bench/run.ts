/**
 * `npm run bench [-- OPTIONS]`: measures the ways from a client to a container beside each other, and the engines
 * alone; prints the tables and writes them, and everything they were made from, into results/.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { measureEngines } from './engine.ts'
import { describeMachine, type Machine } from './machine.ts'
import { type Listener, type Measurements, measure } from './measure.ts'
import { type Options, parseOptions, USAGE } from './options.ts'
import { measurePublishing } from './publish.ts'
import { type EngineFigure, formatNumber, formatReport, type Results } from './report.ts'
import { measureTable } from './table.ts'
import { judge } from './targets.ts'
import { requireTools } from './tools.ts'

const FOLDER = join(import.meta.dirname, 'results')

async function main(argv: readonly string[]): Promise<number> {
  const options = parseOptions(argv)
  if (options.help) {
    process.stdout.write(USAGE)
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
  const keep = (soFar: Measurements) => writeResults(resultsOf(soFar, []))
  const traffic = options.loads.length > 0 ? await measureTraffic(options, keep) : NO_TRAFFIC
  return resultsOf(traffic, [
    ...(options.engine ? await measureEngines(rounds) : []),
    ...(options.publish ? measurePublishing(rounds) : []),
    ...(options.table ? measureTable(rounds) : []),
  ])
}

/** A daemon's thread, the client and the servers want two processors to themselves. */
function warnWhenBusy({ load, processors }: Machine): void {
  if (load < processors / 4) return
  const busy = `${load.toFixed(1)} processes run already on ${processors} processors`
  console.error(`bench: ${busy}: figures will be low and spread wide, and latencies be others' doing`)
}

const NO_TRAFFIC = { samples: [], failures: [], inspections: {} }

function measureTraffic(
  { legs, loads, rounds, seconds }: Options,
  onRound: Listener['onRound'],
): Promise<Measurements> {
  const servers = loads.flatMap(({ server }) => server ?? [])
  requireTools([...legs, ...loads, ...servers].flatMap(({ tools }) => tools))
  return measure({ legs, loads, rounds, seconds }, { ...progress, onRound })
}

const progress: Omit<Listener, 'onRound'> = {
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

/** The latest run under a fixed name, for the README and for charts. */
function writeResults(results: Results): void {
  mkdirSync(FOLDER, { recursive: true })
  writeFileSync(join(FOLDER, 'latest.json'), `${JSON.stringify(results, null, 2)}\n`)
  writeFileSync(join(FOLDER, 'latest.md'), formatReport(results))
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  console.error(`bench: ${(error as Error).message}`)
  process.exitCode = 2
}
