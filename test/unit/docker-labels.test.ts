import assert from 'node:assert/strict'
import test from 'node:test'
import { type Address, formatAddress } from '../../src/address.ts'
import type { ServiceConfig } from '../../src/config/config.ts'
import { parseConfig } from '../../src/config/load.ts'
import { labelledServices } from '../../src/discovery/docker/labels.ts'
import type { Watched } from '../../src/discovery/docker/watch.ts'
import { admitServices } from '../../src/discovery/labelled.ts'

const NETWORK = { name: 'bridge', driver: 'bridge', bridge: 'docker0' }

function container(name: string, labels: Readonly<Record<string, string>>, last = 2): Watched {
  return {
    id: name,
    name,
    pid: 1,
    state: 'ready',
    labels,
    stopSignal: 15,
    attachments: [
      { network: 'bridge', networkId: 'n', address: `10.78.0.${last}`, address6: `fd78::${last}` },
    ],
    networks: new Map([['n', NETWORK]]),
  }
}

const WEB = { 'onehop.address': '203.0.113.10', 'onehop.port': '80/tcp->8080' }

const shown = ({ name, addresses, ports }: ServiceConfig) => [name, addresses.map(formatAddress), ports]

test('address and port are all that a container needs; the service has its name', () => {
  const { items, problems } = labelledServices([container('web-1', WEB)])
  assert.deepEqual(problems, [])
  assert.deepEqual(shown(items[0]!.service), [
    'web-1',
    ['203.0.113.10'],
    [{ port: 80, protocol: 'tcp', target: 8080 }],
  ])
  const [found] = items[0]!.containers
  assert.deepEqual(
    [found!.name, formatAddress(found!.address!), found!.bridge],
    ['web-1', '10.78.0.2', 'docker0'],
  )
})

test("containers that name the same service are together; Compose's names do without", () => {
  const compose = { 'com.docker.compose.project': 'shop', 'com.docker.compose.service': 'api' }
  const { items } = labelledServices([
    container('b', { ...WEB, 'onehop.service': 'web', 'onehop.weight': '3' }, 3),
    container('a', { ...WEB, 'onehop.service': 'web' }),
    container(
      'shop-api-1',
      { ...compose, 'onehop.address': '203.0.113.11, 2001:db8:53::11', 'onehop.port': 'all' },
      4,
    ),
  ])
  assert.deepEqual(
    items.map(({ service, containers }) => [
      service.name,
      containers.map(({ name, weight }) => [name, weight]),
    ]),
    [
      [
        'web',
        [
          ['a', undefined],
          ['b', 3],
        ],
      ],
      ['shop/api', [['shop-api-1', undefined]]],
    ],
  )
  assert.deepEqual(shown(items[1]!.service), ['shop/api', ['203.0.113.11', '2001:db8:53::11'], 'all'])
})

test("all else has the name of the config's key", () => {
  const { items, problems } = labelledServices([
    container('web-1', {
      ...WEB,
      'onehop.algorithm': 'random-two',
      'onehop.empty': 'drop',
      'onehop.quota': '1000',
      'onehop.affinity.scope': 'address',
      'onehop.affinity.prefix4': '24',
      'onehop.affinity.idle': '30m',
      'onehop.health.type': 'http',
      'onehop.health.path': '/healthz',
      'onehop.health.port': '8081',
      'onehop.health.rise': '1',
    }),
  ])
  assert.deepEqual(problems, [])
  const { algorithm, empty, quota, affinity, health } = items[0]!.service
  assert.deepEqual([algorithm, empty, quota], ['random-two', 'drop', 1000])
  assert.deepEqual([affinity.scope, affinity.prefix4, affinity.idleSeconds], ['address', 24, 1800])
  assert.deepEqual(
    [health!.asks, health!.rise],
    [{ type: 'http', port: 8081, path: '/healthz', status: undefined, hostName: undefined }, 1],
  )
})

const WRONG = [
  [{ 'onehop.port': '80' }, /^label onehop\.port: "80"; expected PORT\/tcp/],
  [{ 'onehop.port': '80/tcp,80/tcp->81' }, /^label onehop\.port: 203\.0\.113\.10:80\/tcp given twice/],
  [
    { 'onehop.address': '203.0.113.300' },
    /^label onehop\.address: "203\.0\.113\.300"; expected an IPv4 or IPv6 address$/,
  ],
  [{ 'onehop.address': '' }, /^label onehop\.address: ""; expected an IPv4 or IPv6 address$/],
  [{ 'onehop.service': 'a b' }, /^label onehop\.service: "a b"; expected a name/],
  [{ 'onehop.weight': '-1' }, /^label onehop\.weight: "-1"; expected a whole number from 0 to 256$/],
  [{ 'onehop.network': 'front' }, /^its networks are "bridge"; expected "front"$/],
  [{ 'onehop.health': 'tcp' }, /^label onehop\.health: "tcp"; expected a mapping with type/],
  [{ 'onehop.health': 'tcp', 'onehop.health.path': '/' }, /^label onehop\.health: "tcp"; expected a mapping/],
  [{ 'onehop.healt.type': 'tcp' }, /^label onehop\.healt: unknown key "healt"; did you mean health\?$/],
  [
    { 'onehop.affinity.prefix4': '33' },
    /^label onehop\.affinity\.prefix4: 33; expected a whole number from 1 to 32$/,
  ],
  [{ 'onehop.pins': 'x' }, /^label onehop\.pins: not for labels; expected a config file$/],
  [{ 'onehop.containers.name': 'x' }, /^label onehop\.containers\.name: not for labels/],
  [{ 'onehop.__proto__.x': 'y' }, /^label onehop\.__proto__: unknown key "__proto__"/],
  [{ 'onehop.health.type': 'udp' }, /^label onehop\.health\.send: missing; expected/],
] as const

for (const [labels, problem] of WRONG)
  test(`${JSON.stringify(labels)} is refused with container, label, value and what was expected`, () => {
    const { items, problems } = labelledServices([
      container('bad', { ...WEB, ...labels }),
      container('good', { ...WEB, 'onehop.address': '203.0.113.11' }, 3),
    ])
    assert.deepEqual(
      items.map(({ service }) => service.name),
      ['good'],
    )
    assert.ok(problems.length >= 1)
    assert.match(problems[0]!.replace(/^container "bad": /, ''), problem)
  })

test('a container without a port says so', () => {
  const { problems } = labelledServices([container('bad', { 'onehop.address': '203.0.113.10' })])
  assert.deepEqual(problems, ['container "bad": no label onehop.port; expected 80/tcp, 80/tcp->8080 or all'])
})

test('a container that says otherwise of its service than the first is left out', () => {
  const { items, problems } = labelledServices([
    container('a', { ...WEB, 'onehop.service': 'web' }),
    container('b', { ...WEB, 'onehop.service': 'web', 'onehop.port': '81/tcp' }, 3),
  ])
  assert.deepEqual(
    items[0]!.containers.map(({ name }) => name),
    ['a'],
  )
  assert.deepEqual(problems, [
    'container "b": label onehop.port: "81/tcp"; expected "80/tcp->8080" as container "a" of the same service has',
  ])
})

const BASE = parseConfig(
  `{version: 1, interfaces: {bridges: [br0]}, docker: {}, services: [{name: own, addresses: [203.0.113.9], ports: [80/tcp],
    containers: [{name: c, address: 10.0.0.1}]}]}`,
  'test',
)

test("a service that stands in the way of the config's or of another's is left out by name; the rest is admitted", () => {
  const { items } = labelledServices([
    container('own', WEB),
    container('same', { ...WEB, 'onehop.address': '203.0.113.9' }, 3),
    container('x', { ...WEB, 'onehop.address': '203.0.113.12' }, 4),
    container('y', { ...WEB, 'onehop.address': '203.0.113.12' }, 5),
    container('z', { ...WEB, 'onehop.address': '203.0.113.13' }, 6),
  ])
  const refused = new Map([['cb00710d' as Address, 'public address 203.0.113.13 is taken']])
  const { config, containers, problems } = admitServices(BASE, items, refused)
  assert.deepEqual(
    config.services.map(({ name }) => name),
    ['own', 'x'],
  )
  assert.deepEqual([...containers.keys()], ['x'])
  assert.deepEqual(problems, [
    'service "z": public address 203.0.113.13 is taken',
    'service "own": "own" given twice, first at service "own".name',
    'service "same": 203.0.113.9:80/tcp given twice, first at service "own".ports[0]',
    'service "y": 203.0.113.12:80/tcp given twice, first at service "x".ports[0]',
  ])
})
