import assert from 'node:assert/strict'
import test from 'node:test'
import { Compiler } from '../../src/compile.ts'
import type { Config } from '../../src/config/config.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { Condition, Conditions } from '../../src/containers/conditions.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import type { Snapshot } from '../../src/pipeline/snapshot.ts'

/** What stays from one snapshot to the next. */

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i)

const CONFIG = parseConfig(
  `version: 1
interfaces: {bridges: [br0]}
services:
  - name: web
    addresses: [203.0.113.10, "2001:db8:53::10"]
    ports: [80/tcp]
    containers: [{name: web-1, address: 10.77.0.11, address6: "fd77::11"}, {name: both, address: 10.77.0.12}]
  - name: dns
    addresses: [203.0.113.11]
    ports: [53/udp]
    containers: [{name: dns-1, address: 10.77.0.21}, {name: both, address: 10.77.0.12, weight: 3}]
  - name: sip
    addresses: [203.0.113.12]
    ports: [5060/udp]
    containers: [{name: voice, address: 10.77.0.31}]
    affinity: {scope: group, group: voice, idle: 1h}
  - name: rtp
    addresses: [203.0.113.13]
    ports: all
    containers: [{name: voice, address: 10.77.0.31}]
    affinity: {scope: group, group: voice, idle: 2h}
`,
  'compile.yaml',
)

const DOWN: Condition = { state: 'down', weight: undefined }
const conditions = (...down: readonly string[]): Conditions => new Map(down.map((name) => [name, DOWN]))

const open = () => new Compiler(new Identities(), KEY)

/** Names of the services that are other objects than before. */
const changed = (before: Snapshot, after: Snapshot): readonly string[] =>
  after.services.filter((service) => !before.services.includes(service)).map(({ name }) => name)

const withService = (name: string, change: object): Config => ({
  ...CONFIG,
  services: CONFIG.services.map((service) => (service.name === name ? { ...service, ...change } : service)),
})

test('a container’s state changes the services that it is in', () => {
  const compiler = open()
  const before = compiler.compile(CONFIG)
  const down = compiler.compile(CONFIG, conditions('both'))
  assert.deepEqual(changed(before, down), ['web', 'dns'])
  const more = compiler.compile(CONFIG, conditions('both', 'dns-1'))
  assert.deepEqual(changed(down, more), ['dns'])
  assert.deepEqual(changed(more, compiler.compile(CONFIG, conditions('dns-1'))), ['web', 'dns'])
})

test('an operator’s weight takes the place of the config’s in every service', () => {
  const weigh = (weight: number): Conditions => new Map([['both', { state: 'ready', weight }]])
  const compiler = open()
  const { services } = compiler.compile(CONFIG, weigh(7))
  assert.deepEqual(
    services.map(({ members }) => members.map(({ weight4 }) => weight4)),
    [[1, 7], [1, 7], [1], [1]],
  )
  assert.deepEqual(changed({ services } as Snapshot, compiler.compile(CONFIG, weigh(8))), ['web', 'dns'])
})

test('another config changes the services that are other objects in it, come or go', () => {
  const compiler = open()
  const before = compiler.compile(CONFIG)
  assert.deepEqual(changed(before, compiler.compile(withService('dns', { empty: 'drop' }))), ['dns'])
  const [, dns, ...rest] = CONFIG.services
  const fewer = compiler.compile({ ...CONFIG, services: rest })
  assert.deepEqual(changed(before, fewer), [])
  assert.equal(fewer.services.length, 2)
  assert.deepEqual(changed(fewer, compiler.compile({ ...CONFIG, services: [dns!, ...rest] })), ['dns'])
})

test('whoever shares a scope with a service that turns more patient, or less, changes with it', () => {
  const compiler = open()
  const before = compiler.compile(CONFIG)
  const idleOf = ({ services }: Snapshot) =>
    services.slice(2).map(({ fronts }) => fronts.map(({ idleSeconds }) => idleSeconds))
  assert.deepEqual(idleOf(before), [[7200], [7200]])
  const { affinity } = CONFIG.services[3]!
  const after = compiler.compile(withService('rtp', { affinity: { ...affinity, idleSeconds: 60 } }))
  assert.deepEqual(idleOf(after), [[3600], [3600]])
  assert.deepEqual(changed(before, after), ['sip', 'rtp'])
  assert.deepEqual(changed(after, compiler.compile(CONFIG)), ['sip', 'rtp'])
})

test('a snapshot is the same whatever was compiled before it', () => {
  const identities = new Identities()
  const compiler = new Compiler(identities, KEY)
  for (const down of [[], ['web-1'], ['both', 'voice'], [], ['dns-1', 'both'], ['web-1']]) {
    const fresh = new Compiler(identities, KEY).compile(CONFIG, conditions(...down))
    assert.deepEqual(compiler.compile(CONFIG, conditions(...down)), fresh)
  }
})

const DRAINING: Condition = { state: 'draining', weight: undefined }

/** Weights of web's containers for new sources over IPv4. */
const weightsOf = ({ services }: Snapshot) => services[0]!.members.map(({ weight4 }) => weight4)

const startingSlowly = withService('web', { slowStartMs: 30_000 })

test('a container that has become ready again gets a tenth of its weight at first, and grows in steps', () => {
  const compiler = open()
  compiler.compile(startingSlowly, new Map([['both', DRAINING]]), 0)
  const shares: number[][] = []
  for (let now = 50_000; ; now = compiler.dueMs) {
    const [first, second] = weightsOf(compiler.compile(startingSlowly, new Map(), now)) as [number, number]
    shares.push([now, second / first])
    if (compiler.dueMs === undefined) break
  }
  assert.deepEqual(
    shares,
    Array.from({ length: 11 }, (_, i) => [50_000 + i * 3_000, Math.max(1, i) / 10]),
  )
})

test('nothing is due while nobody starts, and another change in between takes no step', () => {
  const compiler = open()
  compiler.compile(startingSlowly, conditions('both'), 0)
  assert.equal(compiler.dueMs, undefined)
  const began = compiler.compile(startingSlowly, new Map(), 1_000)
  assert.equal(compiler.dueMs, 4_000)
  const between = compiler.compile(startingSlowly, conditions('dns-1'), 3_999)
  assert.equal(between.services[0], began.services[0])
  assert.equal(compiler.dueMs, 4_000)
})

test('a container that a reload brings starts slowly, those of a new service at once', () => {
  const compiler = open()
  const { containers } = startingSlowly.services[0]!
  const more = { ...containers[0]!, name: 'more', address: containers[1]!.address! }
  assert.deepEqual(weightsOf(compiler.compile(startingSlowly, new Map(), 0)), [1, 1])
  const config = withService('web', { slowStartMs: 30_000, containers: [...containers, more] })
  assert.deepEqual(weightsOf(compiler.compile(config, new Map(), 0)), [10, 10, 1])
})

test('who goes down while starting begins anew', () => {
  const compiler = open()
  compiler.compile(startingSlowly, conditions('both'), 0)
  compiler.compile(startingSlowly, new Map(), 0)
  assert.deepEqual(weightsOf(compiler.compile(startingSlowly, new Map(), 15_000)), [10, 5])
  assert.deepEqual(weightsOf(compiler.compile(startingSlowly, conditions('both'), 16_000)), [1, 0])
  assert.deepEqual(weightsOf(compiler.compile(startingSlowly, new Map(), 17_000)), [10, 1])
})

test('a maximum share counts those of a family that take new sources', () => {
  const config = withService('dns', { maximumShare: 0.6 })
  const [, dns] = open().compile(config).services
  const [first, second] = dns!.members.map(({ weight4 }) => weight4) as [number, number]
  assert.ok(Math.abs(second / (first + second) - 0.6) < 1e-4, `${first} and ${second}`)
  const alone = open().compile(config, conditions('both')).services[1]!
  assert.deepEqual(
    alone.members.map(({ weight4, weight6 }) => [weight4 > 0, weight6]),
    [
      [true, 0],
      [false, 0],
    ],
  )
})
