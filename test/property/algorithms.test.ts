import assert from 'node:assert/strict'
import test from 'node:test'
import type { Address } from '../../src/address.ts'
import { ALGORITHMS, type Algorithm } from '../../src/config/config.ts'
import type { Engine } from '../../src/dataplane/dataplane.ts'
import type { Snapshot } from '../../src/pipeline/snapshot.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { ENGINES, Services } from '../support/engines.ts'
import { ACK, buildPacket, exchanged, SYN } from '../support/packets.ts'

/** What every algorithm promises: to honour weights, and to leave known sources where they are. */

const PUBLIC = 'cb00710a' as Address
const SIZES = { capacity: 8192, probation: 64, flows: 16, fragments: 16 }
const SOURCES = 3_000

interface Listed {
  readonly number: number
  readonly weight: number
}

const FOUR: readonly Listed[] = [1, 2, 3, 4].map((number) => ({ number, weight: number }))

function service(algorithm: Algorithm, containers: readonly Listed[]): string {
  const list = containers.map(
    (c) => `{name: web-${c.number}, address: 10.77.0.${10 + c.number}, weight: ${c.weight}}`,
  )
  return `
  - name: web
    addresses: [203.0.113.10]
    ports: [80/tcp]
    algorithm: ${algorithm}
    containers: [${list.join(', ')}]
`
}

const source = (n: number): Address => (0x0a00_0000 + n * 7).toString(16).padStart(8, '0') as Address

const segment = (n: number, flags: number): Uint8Array =>
  buildPacket({ source: source(n), destination: PUBLIC, protocol: 6, flags, acknowledgment: 2 })

/** A handshake; the container that it was with. */
function connect(engine: Engine, n: number): number {
  const { output, container } = engine.process(segment(n, SYN), 1)
  const answer = exchanged(output!)
  answer[33] = SYN | ACK
  engine.process(answer, 1)
  engine.process(segment(n, ACK), 1)
  return container
}

const places = (engine: Engine, first: number, count: number): readonly number[] =>
  Array.from({ length: count }, (_, i) => connect(engine, first + i))

/** Where known sources are; all of them must still be known. */
function whereKnown(engine: Engine, count: number): readonly number[] {
  return Array.from({ length: count }, (_, n) => {
    const { code, container } = engine.process(segment(n, ACK), 1)
    assert.equal(REASONS[code]![1], 'known')
    return container
  })
}

/** How far a container's part may be from its due, of all sources. */
const TOLERANCE: Readonly<Record<Algorithm, number>> = {
  maglev: 0.03, // three standard deviations of 3,000 sources, and the ring's one in a hundred
  'weighted-round-robin': 0.001,
  'least-sources': 0.002,
  'random-two': 0.02,
}

for (const [name, create] of ENGINES)
  for (const algorithm of ALGORITHMS) {
    const open = (...containers: readonly Listed[]) => {
      const services = new Services()
      const engine = create(SIZES)
      const snapshots = (list: readonly Listed[]): Snapshot => services.compile(service(algorithm, list))
      engine.publish(snapshots(containers))
      return { engine, snapshots, id: (number: number) => services.identities.container(`web-${number}`) }
    }

    test(`${name}, ${algorithm}: gives every container its weight in sources`, () => {
      const { engine, id } = open(...FOUR)
      const found = places(engine, 0, SOURCES)
      for (const { number, weight } of FOUR) {
        const part = found.filter((container) => container === id(number)).length / SOURCES
        const apart = Math.abs(part - weight / 10)
        assert.ok(apart <= TOLERANCE[algorithm], `web-${number}: ${part}, due ${weight / 10}`)
      }
    })

    test(`${name}, ${algorithm}: a container that comes moves no known source and gets its part of the new`, () => {
      const { engine, snapshots, id } = open(...FOUR.slice(0, 3))
      const before = places(engine, 0, 500)
      engine.publish(snapshots(FOUR))
      assert.deepEqual(whereKnown(engine, 500), before)
      const got = places(engine, 500, 1_000).filter((container) => container === id(4)).length
      assert.ok(got > 250, `${got} of 1,000`)
    })

    test(`${name}, ${algorithm}: a container that goes moves its own sources and no other`, () => {
      const { engine, snapshots, id } = open(...FOUR)
      const before = places(engine, 0, 500)
      engine.publish(snapshots(FOUR.filter(({ number }) => number !== 2)))
      const after = Array.from({ length: 500 }, (_, n) => engine.process(segment(n, ACK), 1).container)
      for (const [n, container] of before.entries())
        if (container === id(2)) assert.notEqual(after[n], id(2))
        else assert.equal(after[n], container)
      assert.ok(before.includes(id(2)))
    })

    test(`${name}, ${algorithm}: weight 0 takes no new source and keeps its own`, () => {
      const { engine, snapshots, id } = open(...FOUR)
      const before = places(engine, 0, 200)
      engine.publish(snapshots(FOUR.map((one) => (one.number === 4 ? { ...one, weight: 0 } : one))))
      assert.deepEqual(whereKnown(engine, 200), before)
      assert.ok(!places(engine, 200, 200).includes(id(4)))
    })
  }
