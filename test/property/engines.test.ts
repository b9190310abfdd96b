import assert from 'node:assert/strict'
import test from 'node:test'
import type { Engine } from '../../src/dataplane/dataplane.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { compareEngines } from '../support/differential.ts'
import { Random } from '../support/random.ts'
import { WORLDS, type World } from '../support/worlds.ts'

/** Of each world: enough for the rarest reason that it must reach. */
const PACKETS = 30_000

for (const world of WORLDS)
  test(`native equals the reference on random packets: ${world.name}`, () => {
    const random = Random.fromEnvironment()
    const told = `ONEHOP_SEED=${random.seed}`
    console.error(`${world.name}: ${told}`)
    const engines = compareEngines(world, PACKETS, random)
    assertWide(engines.reference, world, told)
  })

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
  [/./, 'drop authenticated', 'drop no-checksum', 'drop fragment'],
  [/ports|shared/, 'forward quoted', 'reply quoted', 'drop unrelated'],
  [
    /ports|shared/,
    'forward known',
    'reply endpoint',
    'pass unknown-client',
    'forward fragment',
    'reply fragment',
    'answer echo',
  ],
  [/ports/, 'forward pinned', 'forward unpinned', 'answer port-closed', 'answer no-container'],
  [/shared/, 'reply flow', 'drop unknown-flow', 'drop port-closed'],
  [/hairpin/, 'reply endpoint', 'reply flow', 'pass unknown-flow', 'drop stray-alias'],
  [/hairpin/, 'forward quoted', 'reply quoted'],
  [/empty/, 'answer no-container', 'drop no-container'],
  [/limits/, 'drop source-limit', 'drop prefix-limit', 'forward known', 'forward pinned'],
]
