import type { Address } from '../../src/address.ts'
import { compileSnapshot } from '../../src/compile.ts'
import type { Config } from '../../src/config/config.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { Condition } from '../../src/containers/conditions.ts'
import { OnehopError } from '../../src/errors.ts'
import type { Identities } from '../../src/pipeline/identities.ts'
import type { Snapshot } from '../../src/pipeline/snapshot.ts'
import { scopesOf } from '../../src/scope.ts'
import { makeRows, type Rows, writeEntry } from '../../src/table/rows.ts'
import type { Random } from './random.ts'

type Mapping = Record<string, unknown>

/** A config as it could be written, and what a person could have made of it since. */
export interface RandomChange {
  readonly before: Config
  readonly after: Config
}

const CONTAINERS = [1, 2, 3, 4, 5].map((n) => ({
  name: `c${n}`,
  ...(n === 4 ? {} : { address: `10.77.0.1${n}` }),
  ...(n === 5 ? {} : { address6: `fd77::1${n}` }),
}))
const PINNED = ['198.51.100.0/24', '198.51.100.8/29', '198.51.100.9', '192.0.2.0/25', '2001:db8:1::/64']
const KEY = '000102030405060708090a0b0c0d0e0f'

export function randomChange(random: Random, algorithms: readonly string[]): RandomChange {
  for (;;) {
    const before = Array.from({ length: 1 + random.below(3) }, (_, i) => service(i, random, algorithms))
    const after = before.map((one) => structuredClone(one))
    for (let n = 0; n < 1 + random.below(3); n++) change(after, random, algorithms)
    const configs = [before, after].map((services) => parsed(services))
    if (configs.every((config) => config !== undefined)) return { before: configs[0]!, after: configs[1]! }
  }
}

/** Undefined for one that breaks a rule, such as that services of a group have the same prefixes. */
function parsed(services: readonly Mapping[]): Config | undefined {
  const text = JSON.stringify({ version: 1, interfaces: { bridges: ['br0'] }, key: KEY, services })
  try {
    return parseConfig(text, 'random.yaml')
  } catch (error) {
    if (error instanceof OnehopError) return undefined
    throw error
  }
}

function service(i: number, random: Random, algorithms: readonly string[]): Mapping {
  const scope = random.pick(['service', 'service', 'group', 'address'])
  const containers = CONTAINERS.filter(() => !random.oneIn(3)).map((one) => ({
    ...one,
    weight: random.below(4),
  }))
  return {
    name: `s${i}`,
    addresses: [`203.0.113.1${i}`, ...(random.oneIn(2) ? [`2001:db8:53::1${i}`, `203.0.113.2${i}`] : [])],
    ports: random.oneIn(4)
      ? 'all'
      : ['80/tcp', '81/tcp->80', '53/udp'].filter((_, n) => n === 0 || random.oneIn(2)),
    containers,
    algorithm: random.pick(algorithms),
    affinity: {
      scope,
      ...(scope === 'group' ? { group: 'g' } : {}),
      ...(random.oneIn(3) ? { prefix4: 28, prefix6: 120 } : {}),
      idle: `${random.pick([60, 600])}s`,
    },
    pins: pins(containers, random),
  }
}

const pins = (containers: readonly { readonly name: string }[], random: Random) =>
  PINNED.filter(() => random.oneIn(4)).flatMap((source) =>
    containers.length === 0 ? [] : [{ source, container: random.pick(containers).name }],
  )

function change(services: Mapping[], random: Random, algorithms: readonly string[]): void {
  const i = random.below(services.length)
  const [old, other] = [services[i]!, service(i, random, algorithms)]
  const keys = ['containers', 'containers', 'pins', 'ports', 'addresses', 'algorithm', 'name', 'gone', 'new']
  // Without affinity: where its scope changes, plans miss a client now and then (README, limits).
  const key = random.pick(keys)
  if (key === 'gone') services.splice(i, services.length > 1 ? 1 : 0)
  else if (key === 'new') services.push({ ...service(7, random, algorithms), name: `n${services.length}` })
  else if (key === 'name') old.name = `renamed-${i}`
  else old[key] = other[key]
  const names = (old.containers as { name: string }[]).map(({ name }) => name)
  old.pins = (old.pins as { container: string }[]).filter(({ container }) => names.includes(container))
}

/** Some containers drain or are down. */
export const randomConditions = (random: Random): ReadonlyMap<string, Condition> =>
  new Map(
    CONTAINERS.flatMap(({ name }) =>
      random.oneIn(4)
        ? [[name, { state: random.pick(['draining', 'down']), weight: undefined }] as const]
        : [],
    ),
  )

export const compiled = (
  config: Config,
  identities: Identities,
  conditions?: ReadonlyMap<string, Condition>,
): Snapshot => compileSnapshot(config, identities, Buffer.from(KEY, 'hex'), conditions)

/** Entries such as a config's table may have, some older than they may be; each source once in a scope. */
export function randomRows(
  config: Config,
  identities: Identities,
  count: number,
  now: number,
  random: Random,
): Rows {
  const rows = makeRows(count)
  const scopes = [...scopesOf(config, identities).values()]
  const containers = CONTAINERS.map(({ name }) => identities.container(name))
  const seen = new Set<string>()
  let made = 0
  while (made < count) {
    const { scope } = random.pick(scopes)
    const source = randomSource(random)
    if (seen.has(`${scope} ${source}`)) continue
    seen.add(`${scope} ${source}`)
    const seenSeconds = now - random.below(100)
    const times = { sinceSeconds: seenSeconds, seenSeconds, packets: made, bytes: made * 100 }
    writeEntry(rows, made++, {
      scope,
      source,
      container: random.pick(containers),
      origin: 'assigned',
      ...times,
    })
  }
  return rows
}

/** Whole prefixes of those that random affinities have. */
const randomSource = (random: Random): Address =>
  (random.oneIn(3)
    ? `20010db80001000000000000000${hex(random.below(4_096), 3)}00`
    : `${random.pick(['c63364', 'c00002', '0a0b0c'])}${hex(random.below(16), 1)}0`) as Address

const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')
