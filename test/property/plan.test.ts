/** What a plan says would become of clients is what two engines make of their packets. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { type Address, formatAddress, isAddress4 } from '../../src/address.ts'
import type { Config } from '../../src/config/config.ts'
import type { Engine, TableSizes } from '../../src/dataplane/dataplane.ts'
import { createNativeEngine } from '../../src/dataplane/native.ts'
import { createReferenceEngine } from '../../src/dataplane/reference.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import { SnapshotLookup } from '../../src/pipeline/lookup.ts'
import type { Snapshot } from '../../src/pipeline/snapshot.ts'
import { makePlan } from '../../src/plan/make.ts'
import { encodePairs, pairsBetween } from '../../src/plan/pairs.ts'
import type { Plan } from '../../src/plan/plan.ts'
import { type Rows, rowCount, scopeOf, seenOf, sliceRows, sourceOf } from '../../src/table/rows.ts'
import { ACK, buildPacket } from '../support/packets.ts'
import { compiled, randomChange, randomConditions, randomRows } from '../support/plans.ts'
import { Random } from '../support/random.ts'

const SIZES: TableSizes = { capacity: 4_096, probation: 1_024, flows: 64, fragments: 64 }
const ALL = ['maglev', 'weighted-round-robin', 'least-sources', 'random-two']
const NOW = 100_000

interface Change {
  readonly before: { readonly config: Config; readonly snapshot: Snapshot }
  readonly after: { readonly config: Config; readonly snapshot: Snapshot }
  readonly identities: Identities
  readonly rows: Rows
}

function makeChange(random: Random, algorithms: readonly string[], count: number): Change {
  const configs = randomChange(random, algorithms)
  const identities = new Identities()
  const conditions = randomConditions(random)
  const before = compiled(configs.before, identities, conditions)
  const after = compiled(configs.after, identities, random.oneIn(2) ? conditions : randomConditions(random))
  return {
    before: { config: configs.before, snapshot: before },
    after: { config: configs.after, snapshot: after },
    identities,
    rows: randomRows(configs.before, identities, count, NOW, random),
  }
}

function opened(create: (sizes: TableSizes) => Engine, snapshot: Snapshot, rows: Rows): Engine {
  const engine = create(SIZES)
  engine.publish(snapshot)
  assert.equal(engine.put(rows, true), 0)
  return engine
}

const CLOCK = { nowSeconds: () => NOW, zeroMs: () => 0 }

const planned = (change: Change, engine: Engine): Promise<Plan> =>
  makePlan({ ...change, engine, clock: CLOCK, top: 10_000, notes: [] }, () => Promise.resolve())

/** TCP and UDP, every port that random configs have, and one that none has. */
const ENDS = [
  [6, 80],
  [6, 81],
  [17, 53],
  [6, 9],
] as const

/** Whom packets show to move, as `SOURCE CONTAINER>CONTAINER`, 0 for nobody; and how many entries that are. */
function movesByPackets({ before, after, rows }: Change) {
  const engines = [before, after].map(({ snapshot }) => createdWith(snapshot))
  const lookup = new SnapshotLookup(before.snapshot)
  const addresses = before.config.services.flatMap((service) => service.addresses)
  const moves = new Set<string>()
  const entries = new Set<number>()
  let now = NOW
  for (let row = 0; row < rowCount(rows); row++) {
    const source = sourceOf(rows, row)
    for (const destination of addresses.filter((one) => isAddress4(one) === isAddress4(source)))
      for (const [protocol, destinationPort] of ENDS) {
        const end = { destination, protocol, destinationPort, isRouted: false, isLaterFragment: false }
        const way = lookup.way(end)
        if (way?.front.scope !== scopeOf(rows, row)) continue
        if (NOW - seenOf(rows, row) > lookup.idleOf(way.front.scope)) continue
        // So much later that nothing of the packets before counts any more.
        now += 10_000
        const packet = buildPacket({ source, destination, protocol, destinationPort, flags: ACK })
        const [from, to] = engines.map((engine) => containerOf(engine, packet, shifted(rows, row, now), now))
        if (from === to) continue
        moves.add(`${source} ${from}>${to}`)
        entries.add(row)
      }
  }
  return { moves: [...moves].sort(), entries: entries.size }
}

function createdWith(snapshot: Snapshot): Engine {
  const engine = createReferenceEngine(SIZES)
  engine.publish(snapshot)
  return engine
}

/** The row, as long ago as it was at NOW. */
function shifted(rows: Rows, row: number, now: number): Rows {
  const one = sliceRows(rows, row, row + 1).slice()
  for (const word of [6, 7]) one[word] = one[word]! + now - NOW
  return one
}

function containerOf(engine: Engine, packet: Uint8Array, row: Rows, now: number): number {
  engine.put(row, true)
  const { container } = engine.process(packet.slice(), now)
  engine.forget(row)
  return container
}

const sourceIn = (text: string): Address => {
  const found = ADDRESSES.get(text.split('/')[0]!)
  assert.ok(found, text)
  return found
}

const ADDRESSES = new Map<string, Address>()

test('a plan names exactly the clients that packets show to move, in random configs', async () => {
  const random = Random.fromEnvironment()
  let moved = 0
  for (let n = 0; n < 60; n++) {
    const told = `change ${n}: ONEHOP_SEED=${random.seed}`
    const change = makeChange(random, ['maglev'], 60)
    const { identities, rows } = change
    for (let row = 0; row < rowCount(rows); row++)
      ADDRESSES.set(formatAddress(sourceOf(rows, row)), sourceOf(rows, row))
    const plan = await planned(change, opened(createNativeEngine, change.before.snapshot, rows))
    const idOf = (name: string | undefined) => (name === undefined ? 0 : identities.container(name))
    const named = plan.movers.map(({ source, from, to }) => `${sourceIn(source)} ${idOf(from)}>${idOf(to)}`)
    const found = { moves: [...new Set(named)].sort(), entries: plan.clients.moved }
    assert.deepEqual(found, movesByPackets(change), told)
    moved += plan.clients.moved
  }
  assert.ok(moved > 200, `${moved} moved: ONEHOP_SEED=${random.seed}`)
})

test('both engines foresee the same, whatever the algorithms', () => {
  const random = Random.fromEnvironment()
  for (let n = 0; n < 80; n++) {
    const { before, after, rows } = makeChange(random, ALL, 100)
    const pairs = encodePairs(pairsBetween(before.snapshot, after.snapshot))
    const [reference, native] = [createReferenceEngine, createNativeEngine].map((create) => {
      const forecast = opened(create, before.snapshot, rows).forecast(after.snapshot, pairs)
      const half = Math.floor(rowCount(rows) / 2)
      const halves = [sliceRows(rows, 0, half), sliceRows(rows, half, rowCount(rows)).slice()]
      const judgements = halves.map((part) => [...forecast.decide(part, NOW)])
      forecast.close()
      return judgements
    })
    assert.deepEqual(native, reference, `change ${n}: ONEHOP_SEED=${random.seed}`)
  }
})
