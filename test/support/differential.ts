import assert from 'node:assert/strict'
import type { Engine, Outcome, Refusal } from '../../src/dataplane/dataplane.ts'
import { createNativeEngine } from '../../src/dataplane/native.ts'
import { createReferenceEngine } from '../../src/dataplane/reference.ts'
import type { ContainerState } from '../../src/pipeline/snapshot.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { entriesOf } from './engines.ts'
import type { Random } from './random.ts'
import { type Arrival, Traffic } from './traffic.ts'
import { vectorPackets } from './vector-packets.ts'
import { snapshotsOf, type World } from './worlds.ts'

const STATES: readonly ContainerState[] = ['ready', 'ready', 'draining', 'down']

/**
 * Sends the same packets through the reference and the native engine: conversations made up for the world, and what
 * the vectors send, whole and damaged, while time goes on and containers come and go. Throws at the first difference
 * in an outcome, in counters or in the table, with the seed and the packet.
 */
export function compareEngines(world: World, packets: number, random: Random): Engines {
  const told = `ONEHOP_SEED=${random.seed}, ${world.name}`
  const engines = new Engines(world)
  const traffic = new Traffic(world.config, random)
  engines.publish(random)
  for (let n = 1; n <= packets; n++) {
    if (random.oneIn(16)) engines.now += random.below(8) - 1
    if (random.oneIn(500)) engines.publish(random)
    if (random.oneIn(1000)) engines.expire(told)
    const arrival = random.oneIn(4) ? traffic.disturbed(random.pick(vectorPackets())) : traffic.next()
    const outcome = engines.process(arrival, `packet ${n}, ${told}`)
    if (isAnswerable(outcome)) traffic.forwarded(outcome.output!)
  }
  engines.compareWhole(told)
  return engines
}

/** An ICMP error gets no answer. */
const isAnswerable = ({ code }: Outcome): boolean => {
  const [verdict, reason] = REASONS[code]!
  return verdict === 'forward' && reason !== 'quoted'
}

/** Both engines with the same past. */
export class Engines {
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
    assert.deepEqual(
      this.native.refusals().map(readableRefusal),
      this.reference.refusals().map(readableRefusal),
      told,
    )
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
  [...entriesOf(engine)]
    .map(({ scope, source, container, origin, sinceSeconds, seenSeconds, packets, bytes }) =>
      [scope, source, container, origin, sinceSeconds, seenSeconds, packets, bytes].join(' '),
    )
    .sort()

const readableRefusal = ({ code, beginning, ...rest }: Refusal) => ({
  verdict: REASONS[code],
  beginning: hex(beginning),
  ...rest,
})
