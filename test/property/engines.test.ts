import assert from 'node:assert/strict'
import test from 'node:test'
import type { Engine, Outcome } from '../../src/dataplane/dataplane.ts'
import { createNativeEngine } from '../../src/dataplane/native.ts'
import { createReferenceEngine } from '../../src/dataplane/reference.ts'
import type { ContainerState } from '../../src/pipeline/snapshot.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { Random } from '../support/random.ts'
import { type Arrival, Traffic } from '../support/traffic.ts'
import { snapshotsOf, WORLDS, type World } from '../support/worlds.ts'

const PACKETS = 100_000
const STATES: readonly ContainerState[] = ['ready', 'ready', 'draining', 'down']

for (const world of WORLDS)
  test(`native equals the reference on random packets: ${world.name}`, () => {
    const random = Random.fromEnvironment()
    const told = `ONEHOP_SEED=${random.seed}`
    console.error(`${world.name}: ${told}`)
    const pair = new Pair(world)
    const traffic = new Traffic(world.config, random)
    pair.publish(random)
    for (let n = 1; n <= PACKETS / WORLDS.length; n++) {
      if (random.oneIn(16)) pair.now += random.below(8) - 1
      if (random.oneIn(500)) pair.publish(random)
      if (random.oneIn(200)) pair.expire(told)
      const outcome = pair.process(traffic.next(), `packet ${n}, ${told}`)
      if (isAnswerable(outcome)) traffic.forwarded(outcome.output!)
    }
    pair.compareWhole(told)
    assertWide(pair.reference, world, told)
  })

/** An ICMP error gets no answer. */
const isAnswerable = ({ code }: Outcome): boolean => {
  const [verdict, reason] = REASONS[code]!
  return verdict === 'forward' && reason !== 'quoted'
}

/** Both engines with the same past. */
class Pair {
  readonly reference: Engine
  readonly native: Engine
  readonly #snapshotOf: ReturnType<typeof snapshotsOf>
  now = 1_000

  constructor(world: World) {
    this.reference = createReferenceEngine(world.sizes)
    this.native = createNativeEngine(world.sizes)
    this.#snapshotOf = snapshotsOf(world)
  }

  /** The same services, each container in some state. */
  publish(random: Random): void {
    const states = new Map<string, ContainerState>()
    const snapshot = this.#snapshotOf((name) => {
      if (!states.has(name)) states.set(name, random.pick(STATES))
      return states.get(name)!
    })
    this.reference.publish(snapshot)
    this.native.publish(snapshot)
  }

  process({ packet, offload }: Arrival, told: string): Outcome {
    const expected = this.reference.process(packet.slice(), this.now, offload)
    const found = this.native.process(packet.slice(), this.now, offload)
    if (!isSame(expected, found))
      assert.deepEqual(
        readable(found),
        readable(expected),
        `${told}: ${hex(packet)} ${JSON.stringify(offload)}`,
      )
    return expected
  }

  expire(told: string): void {
    assert.equal(this.native.expire(this.now), this.reference.expire(this.now), told)
    this.compareWhole(told)
  }

  compareWhole(told: string): void {
    const expected = this.reference.counters()
    const found = this.native.counters()
    assert.deepEqual(found, expected, told)
    assert.deepEqual(sortedEntries(this.native), sortedEntries(this.reference), told)
    const sum = found.reasons.reduce((packets, reason) => packets + reason.packets, 0)
    assert.equal(found.received.packets, sum, told)
  }
}

/** Without strings in the way, for it is called for every packet. */
const isSame = (a: Outcome, b: Outcome): boolean =>
  a.code === b.code &&
  a.service === b.service &&
  a.container === b.container &&
  a.source === b.source &&
  (a.output === undefined) === (b.output === undefined) &&
  Buffer.compare(a.output ?? NOTHING, b.output ?? NOTHING) === 0

const NOTHING = new Uint8Array(0)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const readable = ({ code, output, ...rest }: Outcome) => ({
  verdict: REASONS[code],
  output: output === undefined ? undefined : hex(output),
  ...rest,
})

const sortedEntries = (engine: Engine): readonly string[] =>
  [...engine.entries()]
    .map(({ scope, source, container, origin, sinceSeconds, seenSeconds }) =>
      [scope, source, container, origin, sinceSeconds, seenSeconds].join(' '),
    )
    .sort()

/** A generator that has drifted away from what it should reach fails here. */
function assertWide(engine: Engine, { name }: World, told: string): void {
  const { reasons, table } = engine.counters()
  const seen = REASONS.filter((_, code) => reasons[code]!.packets > 0).map((reason) => reason.join(' '))
  const wanted = REACHED.filter(([worlds]) => worlds.test(name)).flatMap(([, ...wanted]) => wanted)
  assert.deepEqual(
    wanted.filter((reason) => !seen.includes(reason)),
    [],
    `${told}: never reached`,
  )
  if (name === 'ports and pins')
    assert.ok(table.moved > 0 && table.expired > 0, `${told}: no entry moved or expired`)
  assert.ok(table.full > 0 || !name.includes('little room'), `${told}: the table was never full`)
}

const REACHED: readonly (readonly [world: RegExp, ...reasons: string[]])[] = [
  [/./, 'forward chosen', 'pass not-ours', 'drop short-packet', 'drop bad-version', 'drop bad-header-length'],
  [
    /./,
    'drop bad-total-length',
    'drop short-transport',
    'drop bad-offload',
    'drop unsupported',
    'drop jumbogram',
  ],
  [/./, 'drop authenticated', 'drop no-checksum'],
  [/ports|shared/, 'forward quoted', 'reply quoted', 'drop unrelated'],
  [/ports|shared/, 'forward known', 'reply endpoint', 'pass unknown-client', 'drop fragment', 'answer echo'],
  [/ports/, 'forward pinned', 'forward unpinned', 'answer port-closed', 'answer no-container'],
  [/shared/, 'reply flow', 'drop unknown-flow', 'drop port-closed'],
  [/empty/, 'answer no-container', 'drop no-container'],
]
