import assert from 'node:assert/strict'
import test from 'node:test'
import { parseConfig } from '../../src/config/load.ts'
import type { Condition } from '../../src/containers/conditions.ts'
import { Damping } from '../../src/containers/damping.ts'

const LIMITS = { turns: 4, halfLifeMs: 1_000 }

/** A clock that stands until it is moved. */
class World {
  readonly letGo: string[] = []
  readonly #due: { atMs: number; act: () => void }[] = []
  #nowMs = 0
  readonly damping = new Damping((name) => this.letGo.push(name), {
    nowMs: () => this.#nowMs,
    after: (ms, act) => {
      const one = { atMs: this.#nowMs + ms, act }
      this.#due.push(one)
      return () => {
        this.#due.splice(this.#due.indexOf(one), 1)
      }
    },
  })

  get timers(): number {
    return this.#due.length
  }

  pass(ms: number): void {
    this.#nowMs += ms
    for (const one of this.#due.filter(({ atMs }) => atMs <= this.#nowMs)) {
      this.#due.splice(this.#due.indexOf(one), 1)
      one.act()
    }
  }

  /** Turns down once every so often; for how long it was held back by each. */
  turn(times: number, everyMs: number): readonly (number | undefined)[] {
    return Array.from({ length: times }, () => {
      this.pass(everyMs)
      return this.damping.turnedDown('c1', LIMITS)
    })
  }
}

const { services } = parseConfig(
  `version: 1
interfaces: {bridges: [br0]}
services:
  - name: web
    addresses: [203.0.113.10]
    ports: [80/tcp]
    containers: [{name: c1, address: 10.77.0.11}, {name: c2, address: 10.77.0.12}]
`,
  'c.yaml',
)
const down: Condition = { state: 'down', weight: undefined, by: 'health' }

test('what turns down more often than is borne is held back, a half-life and a little', () => {
  const world = new World()
  const held = world.turn(5, 1)
  assert.deepEqual(held.slice(0, 4), [undefined, undefined, undefined, undefined])
  // RFC 2439 section 4.8.2's decay: 5 turns are 2 after log2(5 / 2) half-lives; 4 ms were between them.
  assert.ok(Math.abs(held[4]! - 1_000 * Math.log2(5 / 2)) < 10, String(held[4]))
  assert.deepEqual([...world.damping.heldBack(services, new Map())], ['c1'])
  world.pass(1_310)
  assert.deepEqual([world.letGo, world.timers], [[], 1])
  world.pass(20)
  assert.deepEqual([world.letGo, world.timers], [['c1'], 0])
  assert.equal(world.damping.heldBack(services, new Map()).size, 0)
})

test('what turns down seldom is not, however long that goes on, and is forgotten', () => {
  const world = new World()
  assert.ok(world.turn(1_000, 500).every((held) => held === undefined))
  world.pass(10_000)
  assert.equal(world.timers, 0)
})

test('what goes on turning is held back for longer, three half-lives after its last turn at most', () => {
  const world = new World()
  world.turn(1_000, 10)
  world.pass(2_990)
  assert.deepEqual(world.letGo, [])
  world.pass(20)
  assert.deepEqual(world.letGo, ['c1'])
})

test('the last one that takes clients is borne as it is', () => {
  const world = new World()
  world.turn(5, 1)
  const heldWith = (c2: Condition) => [...world.damping.heldBack(services, new Map([['c2', c2]]))]
  assert.deepEqual(heldWith({ state: 'ready', weight: undefined }), ['c1'])
  assert.deepEqual(heldWith(down), [])
  assert.deepEqual(heldWith({ state: 'draining', weight: undefined }), [])
  assert.deepEqual(heldWith({ state: 'ready', weight: 0 }), [])
})

test('one that serves only the other family does not stand in', () => {
  const world = new World()
  world.turn(5, 1)
  const [web] = services
  const [c1, c2] = web!.containers
  const six = { ...c2!, address: undefined, address6: c2!.address }
  const heldIn = (other: typeof six | typeof c2) =>
    world.damping.heldBack([{ ...web!, containers: [c1!, other!] }], new Map()).size
  assert.deepEqual([heldIn(c2), heldIn(six)], [1, 0])
})

test('nobody is held back where damping is off', () => {
  const world = new World()
  for (let n = 0; n < 100; n++) assert.equal(world.damping.turnedDown('c1', undefined), undefined)
  assert.equal(world.timers, 0)
})
