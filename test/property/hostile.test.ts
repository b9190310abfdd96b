/** Whatever stands in a file or comes from outside: it is read, or refused in plain words. Never a defect, never half of it. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { after } from 'node:test'
import type { Address } from '../../src/address.ts'
import { LineReader } from '../../src/cli/table/line-reader.ts'
import { parseConfig, readConfigBytes } from '../../src/config/load.ts'
import { readPins } from '../../src/config/pin-file.ts'
import { DecisionLog } from '../../src/decisions/decision-log.ts'
import { readHistory } from '../../src/decisions/files.ts'
import { labelledServices } from '../../src/discovery/docker/labels.ts'
import { readSlices, sliceSchema } from '../../src/discovery/kubernetes/slices.ts'
import { readJournals, writeJournal } from '../../src/network/journal.ts'
import { Pins } from '../../src/pins.ts'
import { Identities } from '../../src/pipeline/identities.ts'
import { decodeRecord, encodeRecord } from '../../src/table/record.ts'
import { makeRows, writeEntry } from '../../src/table/rows.ts'
import { assertPlain, damages, HOSTILE_TEXTS, refusal, swaps } from '../support/hostile.ts'
import { Random } from '../support/random.ts'

const random = Random.fromEnvironment()
const SEED = `ONEHOP_SEED=${random.seed}`
const folder = mkdtempSync(join(tmpdir(), 'onehop-hostile-'))
after(() => rmSync(folder, { recursive: true }))

/** Each key that a config may have. */
const CONFIG = {
  version: 1,
  interfaces: { tun: 'onehop0', bridges: ['br0', 'br1'], uplinks: ['eth0'] },
  key: '000102030405060708090a0b0c0d0e0f',
  unserved: 'drop',
  hairpin: { alias4: '240.0.0.0/4', alias6: '4000::/3', sources: ['10.77.0.0/16'] },
  table: { capacity: 1000, probation: 1024, flows: 1024, fragments: 1024 },
  store: '/var/lib/onehop/store',
  decisions: '64MB',
  dataplane: { queues: 2, spin: '50us', fastpath: 'auto', linger: '30s', selfCheck: 5 },
  metrics: '127.0.0.1:9464',
  api: { listen: '127.0.0.1:9465', tokenFile: '/etc/onehop/token', tls: { cert: '/a.pem', key: '/b.pem' } },
  docker: { socket: '/var/run/docker.sock' },
  services: [
    {
      name: 'web',
      addresses: ['203.0.113.10', '2001:db8:53::10'],
      ports: ['80/tcp->8080', '53/any'],
      containers: [
        { name: 'a', address: '10.77.0.11', address6: 'fd77::11', weight: 1 },
        { name: 'b', address: '10.77.0.12' },
      ],
      algorithm: 'least-sources',
      affinity: { scope: 'group', group: 'g', prefix4: 24, prefix6: 64, idle: '1h' },
      pins: [{ source: '198.51.100.0/24', containers: ['a', 'b'] }],
      pinsFrom: 'pins.csv',
      slowStart: '30s',
      maximumShare: '60%',
      health: { type: 'http', port: 8080, interval: '5s', timeout: '2s', rise: 2, fall: 3, jitter: '10%' },
      sources: {
        allow: ['10.0.0.0/8'],
        deny: ['10.1.0.0/16'],
        denied: 'reject',
        allowFrom: 'lists/in',
        denyFrom: '/lists/out',
      },
      quota: 1000,
      empty: 'drop',
      replies: 'flow',
    },
    {
      name: 'found',
      addresses: ['203.0.113.11'],
      ports: 'all',
      containers: { docker: { label: ['a=b'], network: 'n', socket: '/run/docker.sock' } },
    },
    {
      name: 'named',
      addresses: ['203.0.113.12'],
      ports: ['81/tcp'],
      containers: { dns: { name: 'web.test', type: 'SRV', server: '10.0.0.53' } },
    },
    {
      name: 'sliced',
      addresses: ['203.0.113.13'],
      ports: ['82/tcp'],
      containers: { kubernetes: { service: 's', namespace: 'd', port: 'http', node: 'local' } },
    },
  ],
}

const written = (value: unknown): string => JSON.stringify(value, null, 1)
const GOOD = written(CONFIG)

/** From 1 on, as editors count. */
function firstDifference(a: string, b: string): number {
  const [before, now] = [a.split('\n'), b.split('\n')]
  return 1 + now.findIndex((line, i) => line !== before[i])
}

const PLACE = /^c\.yaml:(\d+):\d+: /

test('a value of another kind at any place of a config is refused at its line', () => {
  parseConfig(GOOD, 'c.yaml')
  let refused = 0
  for (const { path, value } of swaps(CONFIG)) {
    const text = written(value)
    const told = `at ${path.join('.')}: ${text.slice(0, 100)}`
    const lines = refusal(() => parseConfig(text, 'c.yaml'), told)
    if (lines === undefined) continue
    refused++
    const places = lines
      .filter((line) => !line.startsWith('… and '))
      .map((line) => Number(PLACE.exec(line)?.[1]))
    assert.ok(
      places.every((line) => line >= 1),
      `${lines.join('\n')}\n${told}`,
    )
    const own = firstDifference(GOOD, text)
    const container = path.length > 0 && text.split('\n').length === GOOD.split('\n').length
    if (container && !isNameOrAddress(path))
      assert.ok(places.includes(own), `line ${own}, but ${lines.join('\n')}\n${told}`)
  }
  assert.ok(refused > 1_000, `${refused} refused`)
})

/** Another name or address may be right where it stands, and wrong for who refers to it. */
const isNameOrAddress = (path: readonly (string | number)[]): boolean =>
  path.some((step) => ['name', 'addresses', 'address', 'address6'].includes(String(step)))

test('a config that is cut or changed at any byte is read or refused by place', () => {
  for (const bytes of damages(Buffer.from(GOOD), random, 2_000)) {
    const lines = refusal(() => readConfigBytes(bytes, 'c.yaml'), SEED)
    for (const line of lines ?? [])
      assert.match(line, /^c\.yaml:\d+:\d+: |^… and |^\/.*: (open|stat|read): E|expected a file/, SEED)
  }
})

test('files that a config names are read if they are files, and refused by name if not', () => {
  const fifo = join(folder, 'fifo')
  execFileSync('mkfifo', [fifo])
  const [web] = CONFIG.services
  for (const name of ['/dev/zero', fifo, folder, '/proc/self/mem', '../../..', 'x'.repeat(4_000)])
    for (const keys of [
      { pinsFrom: name },
      { sources: { denyFrom: name } },
      { sources: { allowFrom: name } },
    ]) {
      const services = [{ ...web, pinsFrom: undefined, sources: undefined, ...keys }]
      const bytes = Buffer.from(written({ ...CONFIG, services }))
      const lines = refusal(() => readConfigBytes(bytes, join(folder, 'c.yaml')), name)
      assert.match(lines!.join(), /expected a file of prefixes, as (pinsFrom|sources\.(deny|allow)From) says/)
    }
})

test('brackets, anchors and merges without end are refused as soon as they are too many', () => {
  const merges = `a: &a {x: 1}\n${'<<: *a\n'.repeat(100_000)}`
  const anchors = Array.from({ length: 100_000 }, (_, i) => `k${i}: &k${i} {<<: *k${Math.max(0, i - 1)}}\n`)
  const doubled = Array.from({ length: 60 }, (_, i) => `k${i + 1}: &k${i + 1} [*k${i}, *k${i}]\n`)
  for (const text of [
    '['.repeat(100_000),
    '{"a":'.repeat(100_000),
    `${'- '.repeat(100_000)}x`,
    merges,
    anchors.join(''),
    `k0: &k0 x\n${doubled.join('')}`,
    `${GOOD}\n---\n${GOOD}`,
    `"\\ud800": 1`,
  ])
    assert.ok(refusal(() => parseConfig(text, 'c.yaml'), text.slice(0, 40)) !== undefined)
  assert.equal(({} as { isAdmin?: true }).isAdmin, undefined)
})

const watched = (labels: Readonly<Record<string, string>>) => ({
  ...{ id: 'i', name: 'c', pid: 1, state: 'ready' as const, labels, stopSignal: 15 },
  attachments: [{ network: 'n', networkId: 'i', address: '10.78.0.2', address6: '' }],
  networks: new Map([['i', { name: 'n', driver: 'bridge', bridge: 'br0' }]]),
})

test('labels of a container, hostile in key or value, cost it its service and nobody else', () => {
  const good = { 'onehop.address': '203.0.113.10', 'onehop.port': '80/tcp', 'onehop.health.type': 'tcp' }
  const keys = [...Object.keys(good), 'onehop.weight', 'onehop.network', 'onehop.service', 'onehop.pinsFrom']
  const hostile = [
    ...HOSTILE_TEXTS.flatMap((text) => keys.map((key) => ({ ...good, [key]: text }))),
    ...HOSTILE_TEXTS.map((text) => ({ ...good, [`onehop.${text}`]: '1' })),
    ...HOSTILE_TEXTS.map((text) => ({ ...good, [`onehop.health.${text}.${text}`]: '1' })),
    ...HOSTILE_TEXTS.map((text) => ({
      ...good,
      'com.docker.compose.project': text,
      'com.docker.compose.service': text,
    })),
    { ...good, [`onehop${'.a'.repeat(100_000)}`]: '1' },
    { ...good, 'onehop.__proto__.isAdmin': 'true' },
  ]
  const other = { ...watched({ ...good, 'onehop.address': '203.0.113.11' }), name: 'z', id: 'z' }
  for (const labels of hostile) {
    const { items, problems } = labelledServices([watched(labels), other])
    assertPlain(problems, written(labels).slice(0, 300))
    assert.ok(items.length === 2 || problems.length > 0)
    assert.ok(items.some(({ service }) => service.name === 'z'))
  }
  assert.equal(({} as { isAdmin?: string }).isAdmin, undefined)
})

test('EndpointSlices whose parts are others than the API describes are refused or give names that are safe', () => {
  const slice = {
    metadata: { name: 'web-x', resourceVersion: '1' },
    endpoints: [
      {
        addresses: ['10.1.2.3'],
        conditions: { ready: true },
        nodeName: 'n',
        targetRef: { kind: 'Pod', namespace: 'd', name: 'p' },
      },
    ],
    ports: [{ name: 'http', port: 80 }],
  }
  for (const { value, path } of swaps(slice)) {
    const read = sliceSchema.safeParse(value)
    if (!read.success) continue
    const { items, problems } = readSlices([read.data], { node: undefined, port: 'http' })
    assertPlain(problems, path.join('.'))
    for (const { name } of items) assert.match(name, /^[A-Za-z0-9][A-Za-z0-9._:/@-]*$/)
  }
})

test('a file of pins is taken or refused by line', () => {
  const good = Buffer.from('# ours\n198.51.100.0/24,a\n2001:db8::/32,a,b\n10.0.0.1,b\n')
  const read = (text: string) =>
    refusal(() => readPins(text, 'p', (name) => ['a', 'b'].includes(name)), `${SEED} ${text.slice(0, 300)}`)
  for (const bytes of damages(good, random, 2_000)) read(Buffer.from(bytes).toString())
  for (const text of HOSTILE_TEXTS)
    for (const row of [`10.0.0.0/8,${text}`, `10.0.0.0/8,a,${text}`, `${text},a`, `#${text}\n${text}`])
      if (row.trim() !== '#') assert.ok(read(row) !== undefined, row.slice(0, 300))
})

test("the operator's pins are read, or set aside with a reason, and never half of them", async () => {
  const path = join(folder, 'pins')
  const pins = [
    { service: 'web', source: '198.51.100.0/24', container: 'a' },
    { service: 'web', source: '2001:db8::1', container: 'b' },
  ]
  const services = parseConfig(GOOD, 'c.yaml')
  const load = async (text: string | Uint8Array, told: string) => {
    writeFileSync(path, text)
    const read = new Pins(path)
    const fault = await read.load()
    if (fault === undefined) read.applied(services)
    else {
      assertPlain([fault], told)
      assert.deepEqual(read.list(), [])
      assert.ok(!existsSync(path) && existsSync(`${path}.unreadable`), told)
    }
  }
  const good = { version: 1, pins }
  for (const { value, path } of swaps(good)) await load(written(value), path.join('.'))
  for (const bytes of damages(Buffer.from(written(good)), random, 200)) await load(bytes, SEED)
})

test('lines of an export, changed anywhere, are entries or refused', () => {
  const scopes = [
    { name: 'service web', scope: 'web', prefix4: 32, prefix6: 64, containers: ['a', 'b'] },
    { name: 'address x', scope: 'address 203.0.113.11', prefix4: 24, prefix6: 64, containers: ['b'] },
  ]
  const entry = {
    ...{ scope: 'web', source: '198.51.100.7', container: 'a', origin: 'assigned' },
    ...{ since: '2026-01-31T12:00:00Z', seen: '2026-01-31T12:00:00Z', packets: 1, bytes: 60 },
  }
  const reader = new LineReader(scopes)
  assert.ok(reader.takesHeader(Object.keys(entry).join(',')))
  const read = (line: string, told: string) => {
    const result = reader.read(line)
    if (typeof result === 'string') assertPlain([result], told)
    else
      assert.ok(
        result.scope >= 1 && result.scope <= 2 && result.container >= 1 && result.container <= 2,
        told,
      )
  }
  assert.equal(typeof reader.read(JSON.stringify(entry)), 'object')
  for (const { value, path } of swaps(entry)) read(JSON.stringify(value), path.join('.'))
  for (const line of [JSON.stringify(entry), Object.values(entry).join(',')])
    for (const bytes of damages(Buffer.from(line), random, 1_000)) read(Buffer.from(bytes).toString(), SEED)
})

const CLIENT = 'c6336407' as Address

test('a record of the store, cut or changed anywhere, is a record or none', () => {
  const identities = new Identities()
  const rows = makeRows(3)
  for (const i of [0, 1, 2])
    writeEntry(rows, i, {
      ...{ scope: identities.scope('service web'), source: CLIENT, container: identities.container(`c${i}`) },
      ...{ sinceSeconds: 1, seenSeconds: 2, packets: 1, bytes: 60, origin: 'assigned' },
    })
  const good = encodeRecord(rows, identities, 0)
  for (const bytes of damages(good, random, 3_000)) decodeRecord(bytes)
})

test('a log of decisions, cut or changed anywhere, is read as far as it is whole', async () => {
  const place = join(folder, 'decisions')
  const log = new DecisionLog({
    ...{
      folder: place,
      mostBytes: 1e9,
      names: new Identities(),
      clock: { zeroMs: () => 0 },
      nowMs: () => 1_000,
    },
    world: () => ({
      scopes: [{ name: 'service web', services: ['web'], prefix4: 32, prefix6: 128 }],
      states: {},
    }),
  })
  log.note({ kind: 'start', at: 0 })
  await log.close()
  const file = join(place, readdirSync(place)[0]!)
  for (const bytes of damages(readFileSync(file), random, 300)) {
    writeFileSync(file, bytes)
    await readHistory(place, { source: CLIENT, atMs: 2_000 })
  }
})

test('a journal of the host that is not ours is named, and nothing is put back by it', () => {
  const sysctls = [{ key: 'net/ipv4/conf/eth0/forwarding', before: '0', value: '1' }]
  writeJournal(folder, 'tun9', { sysctls })
  const path = join(folder, 'tun9.network.json')
  const good = readFileSync(path)
  const read = (bytes: Uint8Array | string, told: string) => {
    writeFileSync(path, bytes)
    const lines = refusal(() => readJournals(folder), told)
    if (lines !== undefined) return assert.match(lines.join(), /no journal of this version; expected/)
    for (const { key, before } of readJournals(folder).get('tun9')!.sysctls) {
      assert.match(key, /^net\/ipv[46]\/(conf|neigh)\/[^/]+\/[a-z_]+$/, told)
      assert.ok(!key.includes('..') && /^-?\d+$/.test(before), told)
    }
  }
  for (const { value, path } of swaps({ version: 1, sysctls })) read(written(value), path.join('.'))
  for (const bytes of damages(good, random, 500)) read(bytes, SEED)
})
