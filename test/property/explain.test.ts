/** What explain says of a source's next packet is what the native engine does with it. */
import assert from 'node:assert/strict'
import test from 'node:test'
import { createNativeEngine } from '../../src/dataplane/native.ts'
import { explain } from '../../src/explain/explain.ts'
import type { ServiceExplanation } from '../../src/explain/explanation.ts'
import type { Situation } from '../../src/explain/situation.ts'
import { parsePacket } from '../../src/packet/packet.ts'
import { isIcmpError } from '../../src/packet/quoted.ts'
import { SnapshotLookup } from '../../src/pipeline/lookup.ts'
import type { ContainerState } from '../../src/pipeline/snapshot.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { formatScope } from '../../src/scope.ts'
import { Random } from '../support/random.ts'
import { Traffic } from '../support/traffic.ts'
import { WORLDS, type World, worldCompiler } from '../support/worlds.ts'

const PACKETS = 4_000
const STATES: readonly ContainerState[] = ['ready', 'ready', 'ready', 'draining', 'down']
/** A decision's; the others are about what was decided before. */
const DECIDED = ['pinned', 'known', 'chosen', 'unpinned', 'no-container', 'source-limit', 'prefix-limit']

for (const world of WORLDS)
  test(`explain names the container and the reason that the native engine has: ${world.name}`, () => {
    const random = Random.fromEnvironment()
    const explained = compare(world, random, `${world.name}: ONEHOP_SEED=${random.seed}`)
    assert.ok(explained > PACKETS / 40, `${explained} explained; ONEHOP_SEED=${random.seed}`)
  })

/** Returns how many packets were explained before they were processed. */
function compare(world: World, random: Random, told: string): number {
  const { compile, identities } = worldCompiler(world)
  const engine = createNativeEngine(world.sizes)
  const traffic = new Traffic(world.config, random)
  let now = 1_000
  let explained = 0
  let lookup: SnapshotLookup
  const publish = () => {
    const snapshot = compile(() => random.pick(STATES))
    engine.publish(snapshot)
    lookup = new SnapshotLookup(snapshot)
  }
  publish()
  for (let n = 0; n < PACKETS; n++) {
    if (random.oneIn(16)) now += random.below(8)
    if (random.oneIn(400)) publish()
    const { packet, offload } = traffic.next()
    const situation: Situation = {
      lookup: lookup!,
      identities,
      table: engine,
      clock: { nowSeconds: () => now, zeroMs: () => 0 },
      service: (name) => world.config.services.find((service) => service.name === name),
      standings: () => [],
      isOperatorPin: () => false,
    }
    const expected = explainPacket(packet, situation)
    const { code, container, output } = engine.process(packet.slice(), now, offload)
    const [verdict, reason] = REASONS[code]!
    if (verdict === 'forward' && reason !== 'quoted') traffic.forwarded(output!)
    const isDecided = verdict === 'forward' ? reason !== 'quoted' : reason === 'no-container'
    if (!isDecided || !DECIDED.includes(reason) || isFollower(packet)) continue
    explained++
    assert.ok(expected, `${told}: packet ${n} (${verdict} ${reason}) has no way in`)
    const { decision, containers } = expected
    const found = { reason, container: identities.containerName(container) }
    assert.deepEqual({ container: undefined, ...decision }, found, `${told}: packet ${n}`)
    const taking = containers.filter((one) => one.verdict === 'yes').map(({ name }) => name)
    assert.deepEqual(taking, found.container === undefined ? [] : [found.container], told)
  }
  return explained
}

/** Later fragments follow their first, errors what they quote: neither asks for its own source. */
function isFollower(bytes: Uint8Array): boolean {
  const packet = parsePacket(bytes)
  return typeof packet !== 'string' && (packet.isLaterFragment || isIcmpError(packet))
}

/** Of the way in that the packet takes, when it is one to a public address. */
function explainPacket(bytes: Uint8Array, situation: Situation): ServiceExplanation | undefined {
  const packet = parsePacket(bytes.slice())
  if (typeof packet === 'string') return undefined
  const way = situation.lookup.way(packet)
  if (way === undefined) return undefined
  const { services } = explain({ source: packet.source, service: way.service.name }, situation)
  const scope = formatScope(situation.identities.scopeName(way.front.scope)!)
  return services.find(({ knownAs }) => knownAs.scope === scope)
}
