import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Address } from '../../src/address.ts'
import type { Engine } from '../../src/dataplane/dataplane.ts'
import {
  bytesOf,
  entriesIn,
  entryOf,
  formerOf,
  isGone,
  makeRows,
  type Rows,
  rowCount,
  sourceOf,
  wasIdle,
  writeEntry,
} from '../../src/table/rows.ts'
import type { SourceKey } from '../../src/table/source.ts'
import type { Entry } from '../../src/table/table.ts'
import { ENGINES, entriesOf, Services } from '../support/engines.ts'
import { ACK, buildPacket, exchanged, SYN, withRightSums } from '../support/packets.ts'

/** What every table promises of its entries many at a time. */

const WEB = `
  - name: web
    addresses: [203.0.113.10]
    ports: [80/tcp]
    containers: [{name: one, address: 10.77.0.11}, {name: two, address: 10.77.0.12}]
    affinity: {idle: 30s}
`
const PUBLIC = 'cb00710a' as Address
const CLIENT = 'c6336407' as Address
const NOW = 1_000
const SCOPE = 1

const ENTRY: SourceKey & Entry = {
  scope: SCOPE,
  source: CLIENT,
  container: 2,
  origin: 'restored',
  sinceSeconds: -86_400,
  seenSeconds: 990,
  packets: 4_294_967_295,
  bytes: 2 ** 52 + 7,
}
const IPV6: SourceKey & Entry = {
  ...ENTRY,
  source: '20010db80053000000000000000000fe' as Address,
  origin: 'pinned',
}

function open(create: (typeof ENGINES)[number][1], capacity = 64, yaml = WEB): Engine {
  const engine = create({ capacity, probation: 64, flows: 64, fragments: 64 })
  engine.publish(new Services().compile(yaml))
  return engine
}

function rowsOf(...entries: readonly (SourceKey & Entry)[]): Rows {
  const rows = makeRows(entries.length)
  for (const [i, entry] of entries.entries()) writeEntry(rows, i, entry)
  return rows
}

const numbered = (n: number): SourceKey & Entry => ({
  ...ENTRY,
  source: (0x0a000000 + n).toString(16).padStart(8, '0') as Address,
})

/** A handshake; the client's next packets are known. Returns the container's id. */
function connect(engine: Engine, source = CLIENT, now = NOW): number {
  const { output, container } = send(engine, source, { now })
  engine.process(withRightSums(syn(exchanged(output!))), now)
  send(engine, source, { flags: ACK, acknowledgment: 8, now })
  return container
}

function send(engine: Engine, source: Address, { now = NOW, ...fields } = {} as Sent) {
  return engine.process(buildPacket({ source, destination: PUBLIC, protocol: 6, ...fields }), now)
}

interface Sent {
  readonly now?: number
  readonly flags?: number
  readonly acknowledgment?: number
  readonly payload?: Uint8Array
}

/** The container's SYN-ACK, number 7. */
function syn(packet: Uint8Array): Uint8Array {
  new DataView(packet.buffer).setUint32(24, 7)
  packet[33] = SYN | ACK
  return packet
}

const byteText = (rows: Rows): string =>
  Buffer.from(rows.buffer, rows.byteOffset, rows.byteLength).toString('hex')

test('a row has its fields where the documentation says', () => {
  assert.equal(
    byteText(rowsOf(ENTRY, IPV6)),
    [
      '00000000000000000000ffffc6336407',
      '02000000',
      '02000080',
      '80aefeff',
      'de030000',
      'ffffffff',
      '00000000',
      '0700000000001000',
      '20010db80053000000000000000000fe',
      '03000000',
      '02000000',
      '80aefeff',
      'de030000',
      'ffffffff',
      '00000000',
      '0700000000001000',
    ].join(''),
  )
})

for (const [name, create] of ENGINES)
  describe(`the table of the ${name} engine`, () => {
    test('gives back what was put, to the last bit', () => {
      const engine = open(create)
      assert.equal(engine.put(rowsOf(ENTRY, IPV6), false), 0)
      assert.deepEqual(
        [...entriesOf(engine)].sort((a, b) => a.source.length - b.source.length),
        [ENTRY, IPV6],
      )
      assert.deepEqual([...engine.counters().scopes], [[SCOPE, 2]])
    })

    test('sends the source of a row that was put to its container', () => {
      const other = connect(open(create)) === 1 ? 2 : 1
      const engine = open(create)
      engine.put(rowsOf({ ...ENTRY, container: other }), false)
      assert.equal(send(engine, CLIENT).container, other)
    })

    test('does not take an entry for idle that was seen before the clock began, within its idle time', () => {
      const engine = open(create)
      engine.put(rowsOf({ ...ENTRY, seenSeconds: -10 }, { ...numbered(1), seenSeconds: -11 }), false)
      assert.equal(engine.expire(20), 1)
      assert.deepEqual(
        [...entriesOf(engine)].map(({ source }) => source),
        [CLIENT],
      )
    })

    test('replaces an entry whose key is put again', () => {
      const engine = open(create)
      engine.put(rowsOf(ENTRY, { ...ENTRY, container: 1, packets: 3 }), true)
      assert.deepEqual([...entriesOf(engine)], [{ ...ENTRY, container: 1, packets: 3 }])
      assert.equal(engine.counters().table.entries, 1)
    })

    test('puts what finds room, or nothing when all of it must', () => {
      const engine = open(create, 10)
      const rows = rowsOf(...Array.from({ length: 13 }, (_, n) => numbered(n)))
      assert.equal(engine.put(rows, true), 3)
      assert.equal(engine.counters().table.entries, 0)
      assert.equal(engine.put(rows, false), 3)
      assert.equal(engine.counters().table.entries, 10)
      assert.equal(engine.put(rowsOf(numbered(0), numbered(9)), true), 0)
    })

    test('forgets what it is told to, and counts it', () => {
      const engine = open(create)
      engine.put(rowsOf(...Array.from({ length: 20 }, (_, n) => numbered(n))), true)
      assert.equal(engine.forget(rowsOf(numbered(3), numbered(30), numbered(4), numbered(4))), 2)
      assert.equal(engine.counters().table.entries, 18)
      assert.deepEqual([...engine.counters().scopes], [[SCOPE, 18]])
      const left = [...entriesOf(engine)].map(({ source }) => source)
      assert.equal(left.length, 18)
      assert.ok(!left.includes(numbered(3).source) && !left.includes(numbered(4).source))
    })

    test('finds the entries of keys', () => {
      const engine = open(create)
      engine.put(rowsOf(ENTRY, IPV6, numbered(1)), true)
      const found = engine.find(rowsOf(numbered(2), { ...IPV6, container: 1, packets: 0 }, ENTRY))
      assert.deepEqual([...entriesIn(found)], [IPV6, ENTRY])
    })

    test('lists each of 50,000 entries once, in pages', () => {
      const engine = open(create, 50_000)
      const entries = Array.from({ length: 50_000 }, (_, n) => numbered(n))
      engine.put(rowsOf(...entries), true)
      const sources: Address[] = []
      let cursor = 0
      do {
        const { next, rows } = engine.rows(cursor, 7_000)
        assert.ok(rowCount(rows) <= 7_000)
        for (let row = 0; row < rowCount(rows); row++) sources.push(sourceOf(rows, row))
        cursor = next
      } while (cursor !== 0)
      assert.deepEqual(sources.sort(), entries.map(({ source }) => source).sort())
    })

    test('misses nothing that stays when entries go between two pages', () => {
      const engine = open(create, 3_000)
      engine.put(rowsOf(...Array.from({ length: 3_000 }, (_, n) => numbered(n))), true)
      const seen = new Set<Address>()
      let cursor = 0
      let gone = 0
      do {
        const { next, rows } = engine.rows(cursor, 100)
        for (let row = 0; row < rowCount(rows); row++) seen.add(sourceOf(rows, row))
        engine.forget(rowsOf(...Array.from({ length: 20 }, () => numbered(gone++))))
        cursor = next
      } while (cursor !== 0)
      for (let n = gone; n < 3_000; n++) assert.ok(seen.has(numbered(n).source), `entry ${n}`)
    })

    test('counts packets and bytes of a source from the packet on that proved it', () => {
      const engine = open(create)
      connect(engine)
      send(engine, CLIENT, { flags: ACK, payload: new Uint8Array(100) })
      const [entry] = [...entriesOf(engine)]
      assert.deepEqual([entry!.packets, entry!.bytes], [2, 180])
    })

    test('counts in the entry that was put, and no further than fits', () => {
      const engine = open(create)
      engine.put(rowsOf({ ...ENTRY, packets: 4_294_967_294 }), true)
      for (let n = 0; n < 3; n++) send(engine, CLIENT, { flags: ACK })
      const [entry] = [...entriesOf(engine)]
      assert.deepEqual([entry!.packets, entry!.bytes], [4_294_967_295, ENTRY.bytes + 120])
    })

    test('tells of entries that are made, moved and gone, in order', () => {
      const engine = open(create)
      const went = connect(engine)
      assert.equal(rowCount(engine.changes(0, 10).rows), 1)
      send(engine, CLIENT)
      assert.equal(rowCount(engine.changes(0, 10).rows), 1, 'a packet of a known source changes nothing')
      engine.publish(new Services().compile(WEB, { [went === 1 ? 'one' : 'two']: 'down' }))
      send(engine, CLIENT)
      engine.expire(NOW + 31)
      const { next, rows, isLost } = engine.changes(0, 10)
      assert.equal(isLost, false)
      assert.equal(next, 3)
      const told = [0, 1, 2].map((row) => [
        sourceOf(rows, row),
        isGone(rows, row) || entryOf(rows, row).container,
        formerOf(rows, row),
      ])
      const other = went === 1 ? 2 : 1
      assert.deepEqual(told, [
        [CLIENT, went, 0],
        [CLIENT, other, went],
        [CLIENT, true, other],
      ])
      assert.equal(wasIdle(rows, 2), true)
      assert.deepEqual(engine.changes(3, 10), { next: 3, rows: makeRows(0), isLost: false })
    })

    test('tells where a source was that is put elsewhere or forgotten', () => {
      const engine = open(create)
      engine.put(rowsOf({ ...ENTRY, container: 1 }), false)
      engine.put(rowsOf(ENTRY), false)
      engine.forget(rowsOf(ENTRY))
      const { rows } = engine.changes(0, 10)
      assert.deepEqual(
        [0, 1, 2].map((row) => [formerOf(rows, row), isGone(rows, row), wasIdle(rows, row)]),
        [
          [0, false, false],
          [1, false, false],
          [2, true, false],
        ],
      )
      assert.equal(rowCount(engine.find(rows)), 0)
    })

    test('tells each reader, at its own pace', () => {
      const engine = open(create)
      engine.put(rowsOf(numbered(1), numbered(2), numbered(3)), true)
      const first = engine.changes(0, 2)
      assert.deepEqual([...entriesIn(first.rows)], [numbered(1), numbered(2)])
      assert.deepEqual([...entriesIn(engine.changes(first.next, 2).rows)], [numbered(3)])
      assert.equal(rowCount(engine.changes(0, 10).rows), 3)
    })

    test('tells a reader that fell behind that changes were lost, and where to go on', () => {
      const engine = open(create)
      for (let n = 0; n < 70; n++) {
        engine.put(rowsOf(numbered(n)), true)
        engine.forget(rowsOf(numbered(n)))
      }
      assert.deepEqual(engine.changes(75, 10), { next: 140, rows: makeRows(0), isLost: true })
      assert.equal(rowCount(engine.changes(76, 100).rows), 64)
      engine.put(rowsOf(ENTRY), true)
      assert.deepEqual([...entriesIn(engine.changes(140, 10).rows)], [ENTRY])
    })

    test('keeps new sources on probation when their service has as many entries as it may', () => {
      const engine = open(create, 64, `${WEB}    quota: 2\n`)
      const sources = Array.from({ length: 4 }, (_, n) => numbered(n).source)
      const containers = sources.map((source) => connect(engine, source))
      assert.deepEqual([...engine.counters().scopes], [[SCOPE, 2]])
      assert.equal(engine.counters().table.overQuota, 2)
      assert.equal(engine.counters().table.made, 2)
      assert.equal(engine.counters().table.full, 0)
      for (const [i, source] of sources.entries()) assert.equal(send(engine, source).container, containers[i])
      engine.forget(rowsOf(numbered(0)))
      send(engine, sources[3]!, { flags: ACK, acknowledgment: 8 })
      assert.deepEqual([...entriesOf(engine)].map(({ source }) => source).sort(), [sources[1], sources[3]])
    })

    test('reads bytes beyond 32 bits', () => {
      assert.equal(bytesOf(rowsOf(ENTRY), 0), 2 ** 52 + 7)
    })
  })
