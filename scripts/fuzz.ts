/**
 * Long runs of what test/fuzz and test/property run shortly: libFuzzer on the native pipeline and on the decoder of
 * snapshots, and the two engines against each other.
 */
import { parseArgs } from 'node:util'
import { compareEngines } from '../test/support/differential.ts'
import { printCoverage } from '../test/support/fuzz/coverage.ts'
import { describe, fuzz, keptInputs, TARGETS, type Target } from '../test/support/fuzz/fuzzer.ts'
import { Random } from '../test/support/random.ts'
import { WORLDS } from '../test/support/worlds.ts'

const USAGE = `usage: scripts/fuzz.sh [--minutes N] [--target ${TARGETS.join('|')}] [--seed N]
       scripts/fuzz.sh --differential [--packets 10M] [--seed N]
       scripts/fuzz.sh --coverage

The first (10 minutes, pipeline) begins with what the vectors send and with what earlier runs have found worth keeping.
An input that breaks something goes to native/fuzz/build/findings; with its mending, to native/fuzz/findings/TARGET.
--coverage prints how much of the engine all that reaches.`

class UsageError extends Error {}

async function main(argv: readonly string[]): Promise<number> {
  const { values } = parseArgs({ args: [...argv], options: OPTIONS })
  const seed =
    values.seed === undefined ? 1 + Math.floor(Math.random() * 2 ** 31) : whole('seed', values.seed)
  if (values.help) console.log(USAGE)
  else if (values.coverage) await printCoverage()
  else if (values.differential) compare(packetsOf(values.packets ?? '10M'), seed)
  else {
    const target = TARGETS.find((one) => one === (values.target ?? 'pipeline'))
    if (target === undefined)
      throw new UsageError(`--target ${values.target}: expected ${TARGETS.join(' or ')}`)
    return runLong(target, 60 * whole('minutes', values.minutes ?? '10'), seed)
  }
  return 0
}

const OPTIONS = {
  help: { type: 'boolean' },
  minutes: { type: 'string' },
  target: { type: 'string' },
  seed: { type: 'string' },
  differential: { type: 'boolean' },
  packets: { type: 'string' },
  coverage: { type: 'boolean' },
} as const

function whole(option: string, text: string): number {
  if (!/^[1-9]\d{0,9}$/.test(text))
    throw new UsageError(`--${option} ${text}: expected a whole number above 0`)
  return Number(text)
}

function packetsOf(text: string): number {
  const [, digits, unit] = /^([1-9]\d{0,9})([kM]?)$/.exec(text) ?? []
  if (digits === undefined) throw new UsageError(`--packets ${text}: expected a number like 500k or 10M`)
  return Number(digits) * (unit === 'M' ? 1e6 : unit === 'k' ? 1e3 : 1)
}

async function runLong(target: Target, seconds: number, seed: number): Promise<number> {
  console.log(`${target}: ${seconds} s, seed ${seed}`)
  const result = await fuzz(target, keptInputs(target), { seconds, seed })
  console.log(describe(target, result, seconds))
  if (result.finding === undefined) return 0
  console.log(`${result.finding}\n✖ ${target}: broken, see native/fuzz/build/findings`)
  return 1
}

/** Each world its share, anew every million packets: a seed says which. */
function compare(packets: number, seed: number): void {
  const start = performance.now()
  const [share, turn] = [Math.ceil(packets / WORLDS.length), 1e6]
  console.log(`native against reference, seed ${seed}`)
  for (const world of WORLDS) {
    for (let done = 0; done < share; done += turn)
      compareEngines(world, Math.min(turn, share - done), new Random(seed + done / turn))
    console.log(`  ${world.name}: ${share.toLocaleString('en')} packets, no difference`)
  }
  console.log(`${Math.round((performance.now() - start) / 1000)} s`)
}

try {
  process.exitCode = await main(process.argv.slice(2))
} catch (error) {
  const isUsage =
    error instanceof UsageError || (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS')
  console.error(isUsage ? `fuzz: ${(error as Error).message}\n${USAGE}` : error)
  process.exitCode = isUsage ? 2 : 1
}
