import assert from 'node:assert/strict'
import test, { type TestContext } from 'node:test'
import { formatAddress } from '../../src/address.ts'
import type { DnsConfig } from '../../src/config/sources.ts'
import { openDns } from '../../src/discovery/dns.ts'
import type { Listing } from '../../src/discovery/source.ts'
import { type DnsRecord, DnsServer } from '../support/dns-server.ts'
import { untilTrue } from '../support/lab/until.ts'

const a = (address: string, ttl = 1): DnsRecord => ({ type: 'A', ttl, address })
const aaaa = (address: string, ttl = 1): DnsRecord => ({ type: 'AAAA', ttl, address })
const srv = (target: string, priority: number, weight: number, port = 8080): DnsRecord => ({
  type: 'SRV',
  ttl: 1,
  priority,
  weight,
  port,
  target,
})

/** A source that asks a server of its own, and what it has told. */
class World {
  readonly lists: Listing[] = []
  readonly failures: string[] = []

  private constructor(readonly server: DnsServer) {}

  static async open(
    t: TestContext,
    settings: Partial<DnsConfig>,
    records: Readonly<Record<string, readonly DnsRecord[]>>,
  ): Promise<World> {
    const world = new World(await DnsServer.open())
    for (const [name, of] of Object.entries(records)) world.server.records.set(name, of)
    const given = {
      name: 'web.test',
      type: 'A',
      port: undefined,
      server: world.server.address,
      ...settings,
    } as const
    const source = openDns(given, {
      list: (listing) => world.lists.push(listing),
      fail: (message) => world.failures.push(message),
    })
    t.after(() => {
      source.close()
      world.server.close()
    })
    return world
  }

  get last(): Listing {
    return this.lists.at(-1)!
  }

  async untilNames(...names: readonly string[]): Promise<void> {
    const shown = () => this.lists.at(-1)?.items.map(({ name }) => name)
    await untilTrue(
      () => JSON.stringify(shown()) === JSON.stringify(names),
      `${names}, is ${shown()}`,
      10_000,
    )
  }
}

test('A: each address is a container of that name; what is no address of a host is left out', async (t) => {
  const world = await World.open(
    t,
    { port: 81 },
    { 'web.test': [a('10.0.0.2'), a('10.0.0.1'), a('127.0.0.1')] },
  )
  await world.untilNames('10.0.0.1', '10.0.0.2')
  const [first] = world.last.items
  assert.deepEqual(
    [formatAddress(first!.address!), first!.address6, first!.port],
    ['10.0.0.1', undefined, 81],
  )
  assert.deepEqual(world.last.problems, [
    'web.test: "127.0.0.1" is loopback; expected an address other than that',
  ])
})

test('AAAA: the same', async (t) => {
  const world = await World.open(
    t,
    { type: 'AAAA' },
    { 'web.test': [aaaa('fd00::2'), aaaa('fd00::1:0:0:1')] },
  )
  await world.untilNames('fd00::1:0:0:1', 'fd00::2')
  assert.equal(formatAddress(world.last.items[1]!.address6!), 'fd00::2')
})

test('it is asked again when the shortest time to live is over, and not before', async (t) => {
  const world = await World.open(t, {}, { 'web.test': [a('10.0.0.1', 3_600), a('10.0.0.2', 1)] })
  await world.untilNames('10.0.0.1', '10.0.0.2')
  const before = performance.now()
  world.server.records.set('web.test', [a('10.0.0.3', 3_600)])
  await world.untilNames('10.0.0.3')
  const waitedMs = performance.now() - before
  assert.ok(waitedMs > 500 && waitedMs < 5_000, `${waitedMs} ms`)
  assert.deepEqual(world.server.asked, ['A web.test', 'A web.test'])
})

test('a name that is gone is an empty list; a server that fails says nothing, and is asked again', async (t) => {
  const world = await World.open(t, {}, { 'web.test': [a('10.0.0.1')] })
  await world.untilNames('10.0.0.1')
  world.server.code = 'servfail'
  await untilTrue(() => world.failures.length > 1, 'two failures', 20_000)
  assert.deepEqual([...new Set(world.failures)], ['A of web.test: ESERVFAIL'])
  assert.deepEqual(
    world.last.items.map(({ name }) => name),
    ['10.0.0.1'],
  )
  world.server.code = 'ok'
  world.server.records.delete('web.test')
  await world.untilNames()
})

test('a name without such records is an empty list', async (t) => {
  const world = await World.open(t, {}, { 'web.test': [aaaa('fd00::1')] })
  await world.untilNames()
  assert.deepEqual(world.failures, [])
})

test("SRV: the lowest priority takes new clients, the others stand by; weights and ports are the records'", async (t) => {
  const world = await World.open(
    t,
    { name: '_http._tcp.test', type: 'SRV' },
    {
      '_http._tcp.test': [
        srv('b.test', 10, 30_000, 8081),
        srv('a.test', 10, 60_000),
        srv('a.test', 10, 60_000),
        srv('c.test', 20, 0),
        srv('gone.test', 10, 1),
      ],
      'a.test': [a('10.0.0.1'), a('10.0.0.9'), aaaa('fd00::1')],
      'b.test': [aaaa('fd00::2')],
      'c.test': [a('10.0.0.3')],
    },
  )
  await world.untilNames('a.test:8080', 'b.test:8081', 'c.test:8080')
  assert.deepEqual(
    world.last.items.map(({ address, address6, port, weight, state }) => [
      address && formatAddress(address),
      address6 && formatAddress(address6),
      port,
      weight,
      state,
    ]),
    [
      ['10.0.0.1', 'fd00::1', 8080, 256, 'ready'],
      [undefined, 'fd00::2', 8081, 128, 'ready'],
      ['10.0.0.3', undefined, 8080, 1, 'draining'],
    ],
  )
  assert.deepEqual(world.last.problems, ['gone.test: no address'])
})

test('SRV weights that fit are taken as they are', async (t) => {
  const world = await World.open(
    t,
    { name: 's.test', type: 'SRV' },
    {
      's.test': [srv('a.test', 0, 5), srv('b.test', 0, 0)],
      'a.test': [a('10.0.0.1')],
      'b.test': [a('10.0.0.2')],
    },
  )
  await world.untilNames('a.test:8080', 'b.test:8080')
  assert.deepEqual(
    world.last.items.map(({ weight }) => weight),
    [5, 1],
  )
})

test('an answer too long for UDP is fetched over TCP', async (t) => {
  const many = Array.from({ length: 4_090 }, (_, i) => a(`10.1.${i >> 8}.${i & 255}`))
  const world = await World.open(t, {}, { 'web.test': many })
  await untilTrue(() => world.lists.length > 0, 'a list', 10_000)
  assert.equal(world.last.items.length, many.length)
})

test('a server that does not answer is named by its error', async (t) => {
  const world = await World.open(t, { server: '127.0.0.1:1' }, {})
  await untilTrue(() => world.failures.length > 0, 'a failure', 20_000)
  assert.match(world.failures[0]!, /^A of web\.test: (ECONNREFUSED|ETIMEOUT)$/)
})
