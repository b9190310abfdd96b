import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { formatAddress } from '../../src/address.ts'
import { parseAddress } from '../../src/config/address.ts'
import type { Config } from '../../src/config/config.ts'
import { parseConfig } from '../../src/config/load.ts'
import type { SourceConfig } from '../../src/config/sources.ts'
import { worst } from '../../src/containers/conditions.ts'
import { changesBetween } from '../../src/discovery/changes.ts'
import { Discovery, type SourceTurn } from '../../src/discovery/discovery.ts'
import { mergeDiscovered } from '../../src/discovery/merge.ts'
import { backoffMs, Retrying } from '../../src/discovery/retrying.ts'
import type { Discovered, SourceListener } from '../../src/discovery/source.ts'
import { untilTrue } from '../support/lab/until.ts'

const configOf = (services: string, interfaces = '{bridges: [br0]}') =>
  parseConfig(`{version: 1, interfaces: ${interfaces}, services: [${services}]}`, 'test')

const WEB =
  '{name: web, addresses: [192.0.2.1], ports: [80/tcp], containers: {dns: {name: web.test, type: A}}}'
const STATIC =
  '{name: old, addresses: [192.0.2.2], ports: [80/tcp], containers: [{name: a, address: 10.0.0.9}]}'

const found = (name: string, address: string, more: Partial<Discovered> = {}): Discovered => {
  const parsed = parseAddress(address)!
  return { name, [parsed.length === 8 ? 'address' : 'address6']: parsed, state: 'ready', ...more }
}

const mergeOf = (services: string, list: readonly Discovered[]) =>
  mergeDiscovered(configOf(services), ({ source }) => (source === undefined ? undefined : list))

const shown = (config: Config, service = 'web') =>
  config.services
    .find(({ name }) => name === service)!
    .containers.map(({ name, address }) => `${name} ${address && formatAddress(address)}`)

test('a list is merged in the order of names, whatever order it came in; static services stay as they are', () => {
  const list = [found('b', '10.0.0.2'), found('a1', '10.0.0.1', { weight: 7 })]
  const { config, problems } = mergeOf(`${WEB}, ${STATIC}`, list)
  assert.deepEqual(shown(config), ['a1 10.0.0.1', 'b 10.0.0.2'])
  assert.deepEqual(shown(config, 'old'), ['a 10.0.0.9'])
  assert.deepEqual(
    config.services[0]!.containers.map(({ weight }) => weight),
    [7, 1],
  )
  assert.deepEqual(problems, [])
  assert.deepEqual(mergeOf(`${WEB}, ${STATIC}`, list.toReversed()).config, config)
})

const REFUSED = [
  ['a name that no config could have', found('a b', '10.0.0.1'), /"a b": expected a name of letters/],
  [
    'an address of another family',
    found('x', 'fd00::1'),
    /"x": no address of its service's family; expected IPv4/,
  ],
  ['a public address', found('x', '192.0.2.2'), /"x": 192\.0\.2\.2 is also a public address/],
  ['an address of no host', found('x', '127.0.0.1'), /"x": 127\.0\.0\.1 is loopback/],
  [
    'the name of a container elsewhere',
    found('a', '10.0.0.1'),
    /"a": another container has its name and other addr/,
  ],
  ['an end that another has', found('z', '10.0.0.7'), /"z": another container has its address and port/],
] as const

for (const [what, container, problem] of REFUSED)
  test(`${what} is left out and named; the rest is served`, () => {
    const { config, problems } = mergeOf(`${WEB}, ${STATIC}`, [container, found('y', '10.0.0.7')])
    assert.deepEqual(shown(config), ['y 10.0.0.7'])
    assert.equal(problems.length, 1)
    assert.match(problems[0]!, problem)
    assert.match(problems[0]!, /^service "web": container /)
  })

test('a port needs a service that has one; bridges that sources name are added once', () => {
  const many = WEB.replace('[80/tcp]', '[80/tcp, 81/tcp]')
  const { config, problems } = mergeOf(many, [
    found('x', '10.0.0.1', { port: 8080 }),
    found('y', '10.0.0.2', { bridge: 'docker0' }),
    found('z', '10.0.0.3', { bridge: 'docker0' }),
  ])
  assert.deepEqual(shown(config), ['y 10.0.0.2', 'z 10.0.0.3'])
  assert.match(problems[0]!, /"x": port 8080: which port it stands for is unclear/)
  assert.deepEqual(config.interfaces.bridges, ['br0', 'docker0'])
})

test('the worst that any source says of a container holds; pins to who is not there wait', () => {
  const other = WEB.replace('name: web', 'name: other').replace('192.0.2.1', '192.0.2.3')
  const pinned = WEB.replace(
    '}}',
    '}}, pins: [{source: 198.51.100.0/24, container: x}, {source: 10.0.0.0/8, container: gone}]',
  )
  const lists = new Map([
    ['web', [found('x', '10.0.0.1', { state: 'draining' })]],
    ['other', [found('x', '10.0.0.1', { state: 'down' }), found('y', '10.0.0.2')]],
  ])
  const { config, states } = mergeDiscovered(configOf(`${pinned}, ${other}`), ({ name }) => lists.get(name))
  assert.deepEqual([...states], [['x', 'down']])
  assert.deepEqual(
    config.services[0]!.pins.map((pin) => pin.containers),
    [['x']],
  )
  assert.deepEqual(
    [worst('ready', 'down'), worst('draining', 'ready'), worst('draining', 'down'), worst('ready', 'ready')],
    ['down', 'draining', 'down', 'ready'],
  )
})

test('what changed between two configs: who came, went, moved, and whose state is another', () => {
  const merged = (list: readonly Discovered[]) => mergeOf(WEB, list)
  const before = merged([
    found('a', '10.0.0.1'),
    found('b', '10.0.0.2'),
    found('c', '10.0.0.3'),
    found('d', '10.0.0.4'),
  ])
  const after = merged([
    found('a', '10.0.0.1'),
    found('b', '10.0.0.9'),
    found('c', '10.0.0.3', { state: 'down' }),
    found('e', '10.0.0.5'),
  ])
  const stateOf =
    ({ states }: typeof before) =>
    (name: string) =>
      states.get(name) ?? 'ready'
  assert.deepEqual(changesBetween(before.config, after.config, stateOf(before), stateOf(after)), [
    { container: 'd', state: 'gone' },
    { container: 'b', state: 'ready' },
    { container: 'c', state: 'down' },
    { container: 'e', state: 'ready' },
  ])
})

/** Sources that say what a test lets them. */
class World {
  readonly opened: { readonly settings: SourceConfig; readonly listener: SourceListener }[] = []
  readonly closed: SourceConfig[] = []
  readonly turns: SourceTurn[] = []
  readonly problems: string[] = []
  changes = 0
  readonly discovery = new Discovery(
    {
      onChange: () => this.changes++,
      onTurn: (turn) => this.turns.push(turn),
      onProblem: (problem) => this.problems.push(problem),
    },
    (settings, listener) => {
      this.opened.push({ settings, listener })
      return { close: () => this.closed.push(settings) }
    },
  )

  constructor(t: TestContext) {
    t.after(() => this.discovery.close())
  }

  say(i: number, ...items: readonly Discovered[]): void {
    this.opened[i]!.listener.list({ items, problems: [] })
  }
}

test('services that ask the same share a source; what is asked for no more is closed, what stays is not asked anew', (t) => {
  const world = new World(t)
  const twin = WEB.replace('name: web', 'name: twin').replace('192.0.2.1', '192.0.2.3')
  const other = WEB.replace('name: web', 'name: other')
    .replace('192.0.2.1', '192.0.2.4')
    .replace('web.test', 'x.test')
  const first = configOf(`${WEB}, ${twin}, ${other}`)
  world.discovery.open(first)
  assert.deepEqual(
    world.opened.map(({ settings }) => settings.kind === 'dns' && settings.name),
    ['web.test', 'x.test'],
  )
  world.say(0, found('a', '10.0.0.1'))
  assert.deepEqual(shown(world.discovery.merge(first)), ['a 10.0.0.1'])
  assert.deepEqual(shown(world.discovery.merge(first), 'twin'), ['a 10.0.0.1'])
  const next = configOf(WEB)
  world.discovery.open(next)
  world.discovery.retain(next)
  assert.equal(world.opened.length, 2)
  assert.equal(world.closed.length, 1)
  assert.deepEqual(shown(world.discovery.merge(next)), ['a 10.0.0.1'])
})

test('a source that fails keeps its list and says so, once for each reason', async (t) => {
  const world = new World(t)
  const config = configOf(WEB)
  world.discovery.open(config)
  const [{ listener }] = world.opened as [(typeof world.opened)[0]]
  assert.deepEqual(
    world.discovery.status().map(({ state, lastSeconds }) => [state, lastSeconds]),
    [['starting', undefined]],
  )
  world.say(0, found('a', '10.0.0.1'))
  listener.fail('no answer')
  listener.fail('no answer')
  assert.deepEqual(shown(world.discovery.merge(config)), ['a 10.0.0.1'])
  const [status] = world.discovery.status()
  assert.deepEqual(
    [status!.source, status!.state, status!.error, status!.containers],
    ['dns name web.test, type A', 'failing', 'no answer', 1],
  )
  world.say(0, found('a', '10.0.0.1'))
  assert.deepEqual(
    world.turns.map(({ state }) => state),
    ['ok', 'failing', 'ok'],
  )
})

test('many words of one moment are one change; the same list again is none', async (t) => {
  const world = new World(t)
  const other = WEB.replace('name: web', 'name: other')
    .replace('192.0.2.1', '192.0.2.4')
    .replace('web.test', 'x.test')
  world.discovery.open(configOf(`${WEB}, ${other}`))
  for (let i = 1; i < 100; i++) world.say(i % 2, found('a', `10.0.0.${i}`))
  await untilTrue(() => world.changes > 0, 'a change')
  assert.equal(world.changes, 1)
  world.say(1, found('a', '10.0.0.99'))
  world.say(0, found('a', '10.0.0.98'))
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  assert.equal(world.changes, 1)
})

test('a start waits for the first word of each source, good or bad, but not for ever', async (t) => {
  const world = new World(t)
  world.discovery.open(configOf(WEB))
  let isHeard = false
  const heard = world.discovery.heard(60_000).then(() => {
    isHeard = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(isHeard, false)
  world.opened[0]!.listener.fail('no answer')
  await heard
  const silent = new World(t)
  silent.discovery.open(configOf(WEB))
  await silent.discovery.heard(1)
})

test('a problem is told when it is new, and stands in the status for as long as it lasts', (t) => {
  const world = new World(t)
  const config = configOf(WEB)
  world.discovery.open(config)
  world.opened[0]!.listener.list({ items: [found('a b', '10.0.0.1')], problems: ['one'] })
  world.discovery.merge(config)
  world.discovery.merge(config)
  const expected = ['one', 'service "web": container "a b": expected a name of letters, digits and ._:/@-']
  assert.deepEqual(world.problems, expected)
  assert.deepEqual(world.discovery.problems, expected)
  world.say(0)
  world.discovery.merge(config)
  assert.deepEqual(world.discovery.problems, [])
})

test("a standing is overruled by its source's word only where that is worse", (t) => {
  const world = new World(t)
  const config = configOf(WEB)
  world.discovery.open(config)
  world.say(0, found('a', '10.0.0.1', { state: 'draining' }))
  world.discovery.merge(config)
  const standing = {
    service: 'web',
    container: 'a',
    state: 'ready',
    weight: 1,
    reason: 'config',
    sinceSeconds: undefined,
    leftSeconds: undefined,
  } as const
  assert.deepEqual(world.discovery.standing(standing), {
    ...standing,
    state: 'draining',
    reason: 'discovery',
    sinceSeconds: 0,
  })
  const down = { ...standing, state: 'down', reason: 'deadline' } as const
  assert.equal(world.discovery.standing(down), down)
  assert.equal(world.discovery.statesNow()('a'), 'draining')
  assert.equal(world.discovery.statesNow()('unknown'), 'ready')
})

test('waits grow from 0.1 s to 10 s, each between half and the whole', () => {
  assert.deepEqual(
    [0, 1, 2, 20, 2_000].map((failures) => backoffMs(failures, 1)),
    [100, 200, 400, 10_000, 10_000],
  )
  assert.equal(backoffMs(1, 0), 100)
})

test('an attempt is made again after each end until it is closed, and from the shortest wait once it has worked', async () => {
  let attempts = 0
  const failures: string[] = []
  const retrying = new Retrying(
    async (_signal, hasWorked) => {
      attempts++
      hasWorked()
      throw new Error(`end ${attempts}`)
    },
    (error) => failures.push((error as Error).message),
    () => 0,
  )
  await untilTrue(() => attempts >= 3, 'three attempts', 5_000)
  retrying.close()
  const told = failures.length
  assert.deepEqual(failures.slice(0, 3), ['end 1', 'end 2', 'end 3'])
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(failures.length, told)
})

const errorOf = (containers: string, rest = 'ports: [80/tcp]', interfaces = '{bridges: [br0]}') => {
  try {
    configOf(`{name: web, addresses: [192.0.2.1], ${rest}, containers: ${containers}}`, interfaces)
    return undefined
  } catch (error) {
    return (error as Error).message.replace(/^test:[0-9]+:[0-9]+: services\[0\]\.?/, '')
  }
}

test('what is wrong with a source is said with its place and what was expected', () => {
  assert.equal(errorOf('{docker: {label: tier=web}}', undefined, '{}'), undefined)
  assert.equal(errorOf('{docker: {compose: shop/web, network: front, port: 81}}'), undefined)
  assert.equal(errorOf('{dns: {name: _http._tcp.web.test, type: SRV, server: "[fd00::53]:5353"}}'), undefined)
  assert.match(errorOf('{docker: {}}')!, /^containers\.docker: a mapping; expected label or compose/)
  assert.match(
    errorOf('{docker: {label: [a, 7]}}')!,
    /^containers\.docker\.label\[1\]: 7; expected a label: key or/,
  )
  assert.match(
    errorOf('{docker: {compose: shop}}')!,
    /^containers\.docker\.compose: "shop"; expected PROJECT\/SERV/,
  )
  assert.match(
    errorOf('{docker: {label: a, sockt: /x}}')!,
    /^containers\.docker: unknown key "sockt"; did you mean socket/,
  )
  assert.match(
    errorOf('{docker: {label: a, socket: x}}')!,
    /\.socket: "x"; expected an absolute path of at most 107/,
  )
  assert.match(
    errorOf('{dns: {name: web.test}}')!,
    /^containers\.dns\.type: missing; expected A or AAAA or SRV/,
  )
  assert.match(
    errorOf('{dns: {name: a..b, type: A}}')!,
    /^containers\.dns\.name: "a\.\.b"; expected a name such as/,
  )
  assert.match(
    errorOf('{dns: {name: a, type: SRV, port: 1}}')!,
    /^containers\.dns\.port: 1; expected none: SRV records/,
  )
  assert.match(
    errorOf('{dns: {name: a, type: A, server: x}}')!,
    /^containers\.dns\.server: "x"; expected the address of/,
  )
  assert.match(
    errorOf('{dns: {name: a, type: SRV}}', 'ports: all')!,
    /^containers\.dns\.type: SRV records have one port/,
  )
  assert.match(
    errorOf('{dns: {name: a, type: A, port: 9}}', 'ports: all')!,
    /^containers\.dns\.port: 9: which port/,
  )
  assert.match(errorOf('{}')!, /^containers: a mapping; expected one of docker, dns, kubernetes/)
  assert.match(errorOf('7')!, /^containers: 7; expected a list such as \[\{name: web-1/)
  assert.match(
    errorOf('{dns: {name: a, type: A}}', undefined, '{}')!,
    /interfaces.*: .*expected at least one bridge/,
  )
})

test('an error in a source names its line and column', () => {
  const text = `version: 1
interfaces: {bridges: [br0]}
services:
  - name: web
    addresses: [192.0.2.1]
    ports: [80/tcp]
    containers:
      dns:
        name: web.test
        type: TXT
`
  assert.throws(() => parseConfig(text, 'c.yaml'), {
    message: 'c.yaml:10:15: services[0].containers.dns.type: "TXT"; expected A or AAAA or SRV',
  })
})
