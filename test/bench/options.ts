import { parseArgs } from 'node:util'
import type { Leg } from './leg.ts'
import { DEFAULT_LEGS, LEGS } from './legs.ts'
import type { Load } from './load.ts'
import { LOADS } from './loads.ts'

export interface Options {
  readonly legs: readonly Leg[]
  readonly loads: readonly Load[]
  /** How it is with ten thousand services, a million sources, a thousand containers. */
  readonly growth: boolean
  /** How soon a change reaches packets. */
  readonly effect: boolean
  /** The engines alone, without a device. */
  readonly engine: boolean
  /** What a change of one service of ten thousand costs. */
  readonly publish: boolean
  /** What a million entries cost. */
  readonly table: boolean
  readonly rounds: number
  readonly seconds: number
  /** Whether it only shows that it runs, and leaves what was measured alone. */
  readonly quick: boolean
  /** Whether a missed target makes the run fail. */
  readonly check: boolean
  /** The README's figures instead of a run. */
  readonly readme: boolean
  readonly help: boolean
}

const GROWTH = 'growth'
const EFFECT = 'effect'
const ENGINE = 'engine'
const PUBLISH = 'publish'
const TABLE = 'table'
const OTHERS: readonly string[] = [GROWTH, EFFECT, ENGINE, PUBLISH, TABLE]

const names = (items: readonly { readonly name: string }[]): string =>
  items.map(({ name }) => name).join(', ')

export const USAGE = `npm run bench -- [OPTIONS]

  --only LOAD,…     ${names(LOADS)}, ${OTHERS.join(', ')} (default: all)
  --legs LEG,…      ${names(LEGS)}
                    (default: ${names(DEFAULT_LEGS)})
  --rounds N        how often each is measured (default: 5)
  --seconds N       how long each time (default: 1)
  --quick           one round of one second: whether it runs, not how fast; written as quick.*
  --check           exit 1 when a target is missed
  --readme          measures nothing: the latest becomes what README.md and its chart show

What was measured latest is in test/bench/results, as JSON, Markdown and SVG, after each load what there is until then. What a
run does not measure stays as an earlier one left it, and is said to be of that.
`

/** Throws naming the option, its value and what was expected. */
export function parseOptions(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      only: { type: 'string', multiple: true },
      legs: { type: 'string', multiple: true },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      quick: { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      readme: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const only = split(values.only)
  const loads = only?.filter((name) => !OTHERS.includes(name))
  const [rounds, seconds] = values.quick ? [1, 1] : [5, 1]
  return {
    legs: choose('--legs', split(values.legs), LEGS) ?? DEFAULT_LEGS,
    loads: choose('--only', loads, LOADS, OTHERS) ?? LOADS,
    growth: only?.includes(GROWTH) ?? true,
    effect: only?.includes(EFFECT) ?? true,
    engine: only?.includes(ENGINE) ?? true,
    publish: only?.includes(PUBLISH) ?? true,
    table: only?.includes(TABLE) ?? true,
    rounds: positive('--rounds', values.rounds) ?? rounds,
    seconds: positive('--seconds', values.seconds) ?? seconds,
    quick: values.quick,
    check: values.check,
    readme: values.readme,
    help: values.help,
  }
}

const split = (values: readonly string[] | undefined): readonly string[] | undefined =>
  values?.flatMap((value) => value.split(','))

function choose<Item extends { readonly name: string }>(
  option: string,
  chosen: readonly string[] | undefined,
  items: readonly Item[],
  others: readonly string[] = [],
): readonly Item[] | undefined {
  const known = [...items.map(({ name }) => name), ...others]
  for (const name of chosen ?? [])
    if (!known.includes(name)) throw new Error(`${option} ${name}: expected any of ${known.join(', ')}`)
  return chosen && items.filter(({ name }) => chosen.includes(name))
}

function positive(option: string, value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  if (!/^[1-9][0-9]{0,3}$/.test(value))
    throw new Error(`${option} ${value}: expected a whole number from 1 to 9999`)
  return Number(value)
}
