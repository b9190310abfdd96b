import assert from 'node:assert/strict'
import test from 'node:test'
import { Compiler } from '../../src/compile.ts'
import type { Conditions, State } from '../../src/containers/conditions.ts'
import { createNativeEngine } from '../../src/dataplane/native.ts'
import { createReferenceEngine } from '../../src/dataplane/reference.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import type { Snapshot } from '../../src/pipeline/snapshot.ts'
import { Random } from '../support/random.ts'
import { Traffic } from '../support/traffic.ts'
import { WORLDS, type World } from '../support/worlds.ts'

const STATES: readonly State[] = ['ready', 'ready', 'ready', 'draining', 'down']
const PACKETS = 4_000

/** What a native engine makes of a row of updates must be what it makes of each snapshot told whole, and the reference. */
for (const world of WORLDS)
  test(`updates add up to the snapshot: ${world.name}`, () => {
    const random = Random.fromEnvironment()
    const told = `ONEHOP_SEED=${random.seed}`
    const compiler = new Compiler(new Identities(), Buffer.from(world.config.key!, 'hex'))
    const traffic = new Traffic(world.config, random)
    const [updated, whole] = [createNativeEngine(world.sizes), createNativeEngine(world.sizes)]
    const reference = createReferenceEngine(world.sizes)
    for (let n = 0; n < PACKETS; n++) {
      if (n % 50 === 0) {
        const snapshot = nextSnapshot(compiler, world, random)
        updated.publish(snapshot)
        reference.publish(snapshot)
        whole.publish({ ...snapshot, key: snapshot.key.slice() })
      }
      const now = 1_000 + Math.floor(n / 20)
      if (random.oneIn(500)) {
        const expired = updated.expire(now)
        assert.deepEqual([whole.expire(now), reference.expire(now)], [expired, expired], told)
      }
      const { packet, offload } = traffic.next()
      const outcome = updated.process(packet.slice(), now, offload)
      for (const engine of [whole, reference])
        assert.deepEqual(outcome, engine.process(packet.slice(), now, offload), `packet ${n}, ${told}`)
      if (outcome.container !== 0 && outcome.output !== undefined) traffic.forwarded(outcome.output)
    }
    assert.deepEqual(updated.counters(), whole.counters(), told)
  })

/** Some of the world's services, one of them perhaps another way, their containers in some state. */
function nextSnapshot(compiler: Compiler, { config }: World, random: Random): Snapshot {
  const services = config.services
    .filter(() => !random.oneIn(8))
    .map((service) =>
      random.oneIn(8) ? { ...service, empty: random.pick<'drop' | 'reject'>(['drop', 'reject']) } : service,
    )
  const names = new Set(services.flatMap(({ containers }) => containers.map(({ name }) => name)))
  const conditions: Conditions = new Map(
    Array.from(names, (name) => [
      name,
      { state: random.pick(STATES), weight: random.oneIn(4) ? random.below(9) : undefined },
    ]),
  )
  return compiler.compile({ ...config, services }, conditions)
}
