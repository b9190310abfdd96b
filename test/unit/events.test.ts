import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { afterEach, beforeEach, describe } from 'node:test'
import type { Api } from '../../src/api/api.ts'
import { formatEvent } from '../../src/cli/events/text.ts'
import { loadConfig, parseConfig } from '../../src/config/load.ts'
import type { Conditions } from '../../src/containers/conditions.ts'
import { EventBus, MOST_A_SECOND, MOST_KEPT } from '../../src/events/bus.ts'
import { conditionChanges, configChanges } from '../../src/events/config-changes.ts'
import type { Event, EventBody, EventFilter } from '../../src/events/event.ts'
import { EventOperator, MOST_READERS } from '../../src/events/operator.ts'
import { serveSource } from '../support/api.ts'
import { untilTrue } from '../support/lab/until.ts'

const NOW = Date.UTC(2026, 10, 25, 14, 3, 5)
const EVERYTHING: EventFilter = { types: undefined, service: undefined, source: undefined }
const LINK: EventBody = { type: 'link', change: 'gone', link: 'br0' }

/** A wall clock that can be set, and seconds that end when the test says so. */
class Clock {
  ms = NOW
  #acts: (() => void)[] = []
  nowMs = () => this.ms
  after = (_: number, act: () => void) => {
    this.#acts.push(act)
    return () => {}
  }
  endSecond(): void {
    for (const act of this.#acts.splice(0)) act()
  }
}

const all = (bus: EventBus, since: number): readonly Event[] => bus.after(since, EVERYTHING, Infinity).events

describe('the event bus', () => {
  test('numbers rise and times do not fall, though the clock is set back', () => {
    const clock = new Clock()
    const bus = new EventBus(clock)
    const start = bus.lastId
    bus.tell(LINK)
    clock.ms -= 3_600_000
    bus.tell(LINK)
    clock.ms += 3_601_000
    bus.tell(LINK)
    const events = all(bus, start)
    assert.deepEqual(
      events.map(({ id, at }) => [id - start, at]),
      [
        [1, '2026-11-25T14:03:05.000Z'],
        [2, '2026-11-25T14:03:05.000Z'],
        [3, '2026-11-25T14:03:06.000Z'],
      ],
    )
  })

  test('tells so many of a kind a second, and the number of the others at its end', () => {
    const clock = new Clock()
    const bus = new EventBus(clock)
    const start = bus.lastId
    for (let n = 0; n < MOST_A_SECOND + 7; n++) bus.tell(LINK)
    bus.tell({ type: 'pin', change: 'unpinned', service: 'web', source: '192.0.2.1' })
    bus.leaveOut({ type: 'table', change: 'made' }, 1_000)
    assert.equal(all(bus, start).length, MOST_A_SECOND + 1)
    clock.endSecond()
    const last = all(bus, start).at(-1)!
    assert.deepEqual(
      [last.type, 'counts' in last && last.counts],
      ['more', { 'link gone': 7, 'table made': 1_000 }],
    )
    bus.tell(LINK)
    assert.equal(all(bus, last.id).length, 1)
  })

  test('gives what came after a number, or says that some of it is no longer there', () => {
    const clock = new Clock()
    const bus = new EventBus(clock)
    const start = bus.lastId
    assert.equal(bus.after(start, EVERYTHING, 9).isGap, false)
    assert.equal(bus.after(start - 1, EVERYTHING, 9).isGap, true, 'of a daemon before this one')
    assert.equal(bus.after(start + 1, EVERYTHING, 9).isGap, true, 'of a daemon whose clock was ahead')
    for (let n = 0; n < 2 * MOST_KEPT + 1; n++) {
      bus.tell(LINK)
      clock.endSecond()
    }
    assert.equal(bus.after(start, EVERYTHING, 9).isGap, true)
    const half = bus.after(start + MOST_KEPT, EVERYTHING, Infinity)
    assert.deepEqual([half.isGap, half.events.length], [false, MOST_KEPT + 1])
    assert.equal(half.next, bus.lastId)
  })

  test('filters by type, service and source; what was left out concerns whoever might have wanted it', () => {
    const bus = new EventBus(new Clock())
    const start = bus.lastId
    const table = { type: 'table', change: 'made', scope: 'web', services: ['web'], container: 'a' } as const
    bus.tell({ ...table, source: '198.51.100.7' })
    bus.tell({ ...table, source: '198.51.0.0/16', services: ['shop'] })
    bus.tell({ type: 'container', change: 'down', container: 'a', services: ['web', 'shop'] })
    bus.tell(LINK)
    const found = (filter: Partial<EventFilter>) =>
      bus.after(start, { ...EVERYTHING, ...filter }, Infinity).events.map(({ id }) => id - start)
    assert.deepEqual(found({ types: new Set(['link', 'container']) }), [3, 4])
    assert.deepEqual(found({ service: 'shop' }), [2, 3])
    assert.deepEqual(found({ source: { address: 'c6336407' as never, length: 32 } }), [1, 2])
    assert.deepEqual(found({ source: { address: 'c6336400' as never, length: 24 }, service: 'web' }), [1])
    for (let n = 0; n < MOST_A_SECOND; n++) bus.tell({ ...table, source: '192.0.2.1' })
    const clock = new Clock()
    const other = new EventBus(clock)
    other.leaveOut({ type: 'table', change: 'made' })
    clock.endSecond()
    const wanted = (types: ReadonlySet<string> | undefined) =>
      other.after(other.lastId - 1, { ...EVERYTHING, types }, 9).events.length
    assert.deepEqual([wanted(undefined), wanted(new Set(['table'])), wanted(new Set(['link']))], [1, 1, 0])
  })
})

const parse = (services: string) =>
  parseConfig(`version: 1\ninterfaces: {bridges: [br0]}\nservices:\n${services}`, 'c.yaml')
const A = '{name: a, address: 10.0.0.1}'
const B = '{name: b, address: 10.0.0.2}'
const WEB = `  - {name: web, addresses: [203.0.113.10], ports: [80/tcp], containers: [${A}]}`
const SHOP = `  - {name: shop, addresses: [203.0.113.11], ports: [80/tcp], containers: [${A}, ${B}]}`

test('between two configs services and containers come, go and change', () => {
  const changes = configChanges(
    parse(WEB),
    parse(`${WEB.replace('80/tcp', '81/tcp').replace(A, B)}\n${SHOP}`),
  )
  assert.deepEqual(changes, [
    { type: 'service', change: 'added', service: 'shop' },
    { type: 'service', change: 'changed', service: 'web', settings: ['ports'] },
    { type: 'container', change: 'removed', container: 'a', services: ['web'] },
    { type: 'container', change: 'added', container: 'b', services: ['web', 'shop'] },
    { type: 'container', change: 'added', container: 'a', services: ['shop'] },
  ])
  assert.deepEqual(configChanges(parse(SHOP), parse(SHOP)), [])
  assert.deepEqual(configChanges(parse(`${WEB}\n${SHOP}`), parse(WEB)), [
    { type: 'service', change: 'removed', service: 'shop' },
    { type: 'container', change: 'removed', container: 'a', services: ['shop'] },
    { type: 'container', change: 'removed', container: 'b', services: ['shop'] },
  ])
})

test('lists of prefixes are settings like others, be they written in the config or in files of its own', () => {
  const folder = mkdtempSync(join(tmpdir(), 'onehop-events-'))
  const load = (service: string, files: Record<string, string> = {}) => {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
    writeFileSync(
      join(folder, 'c.yaml'),
      `version: 1\ninterfaces: {bridges: [br0]}\nservices:\n${WEB.replace(/}$/, `, ${service}}`)}`,
    )
    return loadConfig(join(folder, 'c.yaml'))
  }
  const told = (...[before, after]: [ReturnType<typeof load>, ReturnType<typeof load>]) =>
    configChanges(before, after).flatMap((event) => (event.type === 'service' ? event.settings : event.type))
  try {
    assert.deepEqual(told(load('sources: {deny: [10.0.0.0/8]}'), load('sources: {deny: [10.0.0.0/9]}')), [
      'sources',
    ])
    const written = 'pinsFrom: p.txt, sources: {denyFrom: d.txt}'
    const first = load(written, { 'p.txt': '192.0.2.0/24,a\n', 'd.txt': '10.0.0.0/8\n' })
    assert.deepEqual(told(first, load(written)), [])
    assert.deepEqual(told(first, load(written, { 'p.txt': '192.0.2.0/25,a\n' })), ['pinsFrom'])
    const second = load(written)
    assert.deepEqual(told(second, load(written, { 'd.txt': '10.0.0.0/8\n2001:db8::/32\n' })), ['sources'])
  } finally {
    rmSync(folder, { recursive: true })
  }
})

test('a container that turns says from what, by whose word and why', () => {
  const servicesOf = () => ['shop']
  const down: Conditions = new Map([['a', { state: 'down', weight: undefined, by: 'health' }]])
  const weighed: Conditions = new Map([['b', { state: 'ready', weight: 9 }]])
  const why = () => 'ECONNREFUSED'
  const event = { type: 'container', services: ['shop'] }
  assert.deepEqual(conditionChanges(new Map(), down, servicesOf, why), [
    { ...event, container: 'a', change: 'down', from: 'ready', by: 'health', why: 'ECONNREFUSED' },
  ])
  assert.deepEqual(conditionChanges(down, weighed, servicesOf, why), [
    { ...event, container: 'a', change: 'ready', from: 'down', by: 'health' },
    { ...event, container: 'b', change: 'weight', by: 'operator', weight: 9 },
  ])
})

test('an event is a line for people', () => {
  const at = '2026-11-25T14:03:05.123Z'
  const container = {
    type: 'container',
    change: 'down',
    container: 'a',
    services: ['web'],
    from: 'ready',
    by: 'health',
  }
  assert.equal(
    formatEvent({ id: 1, at, ...container, why: 'ECONN\u001b[31m' }),
    '14:03:05.123Z  container  down a was ready in web says health (ECONN\\u001b[31m)',
  )
  const moved = {
    type: 'table',
    change: 'moved',
    source: '192.0.2.7',
    scope: 'web',
    from: 'a',
    container: 'b',
  }
  assert.equal(
    formatEvent({ id: 1, at, ...moved }),
    '14:03:05.123Z  table      moved 192.0.2.7 in web from a to b',
  )
})

describe('GET /v1/events', () => {
  let folder = ''
  let socketPath = ''
  let api: Api
  let bus: EventBus
  let operator: EventOperator
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'onehop-events-'))
    socketPath = join(folder, 'sock')
    bus = new EventBus({ nowMs: () => Date.now(), after: () => () => {} })
    operator = new EventOperator(bus, { heartbeatMs: 50, patienceMs: 200 })
    api = await serveSource(socketPath, { events: operator })
  })
  afterEach(async () => {
    operator.close()
    await api.close()
    rmSync(folder, { recursive: true })
  })

  const open = (query: string, headers: Readonly<Record<string, string>> = {}) =>
    new Promise<{
      status: number
      readonly text: () => string
      readonly end: () => void
      readonly ended: () => boolean
    }>((resolve, reject) => {
      const asking = request({ socketPath, path: `/v1/events${query}`, headers, agent: false }, (answer) => {
        let text = ''
        let hasEnded = false
        answer.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk
        })
        answer.on('error', () => {})
        answer.on('close', () => {
          hasEnded = true
        })
        resolve({
          status: answer.statusCode!,
          text: () => text,
          end: () => asking.destroy(),
          ended: () => hasEnded,
        })
      })
      asking.on('error', reject)
      asking.end()
    })

  test('sends events as they come, with signs of life between them', async () => {
    const reader = await open('')
    await untilTrue(() => reader.text().includes(': still here\n\n'), 'a heartbeat')
    bus.tell(LINK)
    await untilTrue(
      () => reader.text().includes(`id: ${bus.lastId}\nevent: link\ndata: {"id":${bus.lastId},`),
      'an event',
    )
    reader.end()
  })

  test('resumes where the reader was, by query or by Last-Event-ID, which comes first', async () => {
    const start = bus.lastId
    for (const link of ['a', 'b', 'c']) bus.tell({ ...LINK, link } as EventBody)
    const byQuery = await open(`?since=${start + 1}`)
    await untilTrue(() => byQuery.text().includes('"link":"c"'), 'the last')
    assert.ok(byQuery.text().includes('"link":"b"') && !byQuery.text().includes('"link":"a"'))
    const byHeader = await open('?since=1', { 'last-event-id': `${start + 2}` })
    await untilTrue(() => byHeader.text().includes('"link":"c"'), 'the last')
    assert.ok(!byHeader.text().includes('"link":"b"') && !byHeader.text().includes('event: gap'))
    const late = await open('?since=1')
    await untilTrue(() => late.text().includes('"link":"c"'), 'the last')
    assert.match(late.text(), /event: gap\ndata: \{"type":"gap".*"since":1,/)
    for (const reader of [byQuery, byHeader, late]) reader.end()
  })

  test('refuses what it cannot mean, and more readers than there may be', async () => {
    for (const [query, expected] of [
      ['?type=link,nothing', /one or more of container, service/],
      ['?source=198.51.100.7/24', /an address or a prefix/],
      ['?since=-1', /the number of an event/],
      ['?sinc=1', /sinc/],
    ] as const) {
      const refused = await open(query)
      assert.equal(refused.status, 400)
      await untilTrue(refused.ended, 'the answer')
      assert.match(refused.text(), expected)
    }
    const readers = await Promise.all(Array.from({ length: MOST_READERS }, () => open('')))
    assert.ok(readers.every(({ status }) => status === 200))
    const more = await open('')
    assert.equal(more.status, 400)
    readers[0]!.end()
    await untilTrue(async () => {
      const next = await open('')
      next.end()
      return next.status === 200
    }, 'room for another')
    for (const reader of readers) reader.end()
  })

  test('a reader who takes nothing keeps no memory, is told, and is sent away; others go on', async () => {
    const slow = connect(socketPath)
    slow.write('GET /v1/events HTTP/1.1\r\nhost: x\r\n\r\n')
    await once(slow, 'readable')
    const quick = await open('')
    const long: EventBody = { type: 'problem', change: 'arose', problem: 'x'.repeat(10_000) }
    const pump = setInterval(() => bus.tell(long, `${Math.random()}`), 1)
    await untilTrue(() => [...operator.filters].length === 1, 'the slow one sent away', 20_000)
    clearInterval(pump)
    const heard: Buffer[] = []
    slow.on('data', (chunk: Buffer) => heard.push(chunk)).on('error', () => {})
    await once(slow, 'close')
    bus.tell(LINK)
    await untilTrue(() => quick.text().includes('event: link'), 'the other reader')
    quick.end()
    assert.ok(Buffer.concat(heard).length < 4_000_000)
  })

  test('a reader who was too slow and then reads is told so', async () => {
    const stream = operator.stream({ ...EVERYTHING, since: undefined })
    const parts = stream[Symbol.asyncIterator]()
    await parts.next()
    const start = performance.now()
    await untilTrue(() => performance.now() - start > 250, 'patience over')
    let text = ''
    for (let part = await parts.next(); !part.done; part = await parts.next()) text += part.value
    assert.match(text, /event: cut\ndata: \{"type":"cut","change":"too slow"/)
  })
})
