import assert from 'node:assert/strict'
import test from 'node:test'
import type { Config } from '../../src/config/config.ts'
import { parseConfig } from '../../src/config/load.ts'
import { type Clock, ContainerList } from '../../src/containers/container-list.ts'

const config = (...names: readonly string[]): Config =>
  parseConfig(
    JSON.stringify({
      version: 1,
      interfaces: { tun: 't0', bridges: ['br0'] },
      services: [
        {
          name: 'web',
          addresses: ['203.0.113.10'],
          ports: 'all',
          containers: names.map((name, i) => ({ name, address: `10.0.0.${i + 1}` })),
        },
      ],
    }),
    'c.yaml',
  )

const ABC = config('a', 'b', 'c')
const NAMES = new Set(['a', 'b', 'c'])

/** A list on a clock that the test moves, and how often it said that it changed. */
function openList() {
  const due = new Map<() => void, number>()
  let now = 0
  let changes = 0
  const clock: Clock = {
    nowMs: () => now,
    after(ms, act) {
      due.set(act, now + ms)
      return () => due.delete(act)
    },
  }
  const list = new ContainerList(() => changes++, clock)
  const pass = (ms: number) => {
    now += ms
    for (const [act, atMs] of due)
      if (atMs <= now) {
        due.delete(act)
        act()
      }
  }
  return { list, pass, changes: () => changes, waiting: () => due.size }
}

const standing = (list: ContainerList, name: string) =>
  [...list.standings(ABC)].find(({ container }) => container === name)!

const stateOf = (list: ContainerList, name: string) => list.conditions().get(name)?.state ?? 'ready'

test('drains what is named, with one change', () => {
  const { list, changes } = openList()
  list.drain(NAMES, ['a', 'b'], undefined)
  assert.deepEqual(
    ['a', 'b', 'c'].map((name) => stateOf(list, name)),
    ['draining', 'draining', 'ready'],
  )
  assert.equal(changes(), 1)
})

test('a name that is not there changes nothing, not even what is named before it', () => {
  const { list, changes } = openList()
  assert.throws(() => list.drain(NAMES, ['a', 'x'], undefined), { code: 'E_USAGE', message: /"x"/ })
  assert.equal(stateOf(list, 'a'), 'ready')
  assert.equal(changes(), 0)
})

test('goes down when the deadline is over, and says since when and why', () => {
  const { list, pass, changes } = openList()
  list.drain(NAMES, ['a'], 60_000)
  pass(59_000)
  const { state, reason, sinceSeconds, leftSeconds } = standing(list, 'a')
  assert.deepEqual([state, reason, sinceSeconds, leftSeconds], ['draining', 'operator', 59, 1])
  pass(1_000)
  pass(5_000)
  const after = standing(list, 'a')
  assert.deepEqual([after.state, after.reason, after.sinceSeconds], ['down', 'deadline', 5])
  assert.equal(changes(), 2)
})

test('a new deadline takes the place of the old one and keeps when draining began', () => {
  const { list, pass } = openList()
  list.drain(NAMES, ['a'], 10_000)
  pass(9_000)
  list.drain(NAMES, ['a'], 30_000)
  pass(20_000)
  const { state, sinceSeconds, leftSeconds } = standing(list, 'a')
  assert.deepEqual([state, sinceSeconds, leftSeconds], ['draining', 29, 10])
})

test('undrain ends the deadline too', () => {
  const { list, pass } = openList()
  list.drain(NAMES, ['a'], 10_000)
  list.undrain(NAMES, ['a'])
  pass(20_000)
  assert.equal(standing(list, 'a').state, 'ready')
  assert.equal(standing(list, 'a').reason, 'config')
})

test('nothing waits for a deadline after close', () => {
  const { list, waiting } = openList()
  list.drain(NAMES, ['a', 'b'], 10_000)
  assert.equal(waiting(), 2)
  list.close()
  assert.equal(waiting(), 0)
})

test('tells the conditions of those containers that something was said of', () => {
  const { list } = openList()
  list.weigh(NAMES, ['b'], 0)
  list.drain(NAMES, ['c'], undefined)
  assert.deepEqual(
    [...list.conditions()],
    [
      ['b', { state: 'ready', weight: 0, by: undefined }],
      ['c', { state: 'draining', weight: undefined, by: 'operator' }],
    ],
  )
})

test('forgets a container that a reload took away, and no other', () => {
  const { list, pass } = openList()
  list.drain(NAMES, ['a', 'b'], 10_000)
  list.retain(new Set(['b']))
  pass(10_000)
  assert.equal(stateOf(list, 'a'), 'ready')
  assert.equal(stateOf(list, 'b'), 'down')
})
