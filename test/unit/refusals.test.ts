/** What is kept of packets that are dropped or refused, by both engines, and how it is told. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Address } from '../../src/address.ts'
import type { Drops, SelfCheck } from '../../src/api/drops.ts'
import { dropsFile } from '../../src/cli/drops/file.ts'
import { formatDrops } from '../../src/cli/drops/text.ts'
import type { Engine, IoCounters, Refusal } from '../../src/dataplane/dataplane.ts'
import { ADVICE } from '../../src/drops/advice.ts'
import { SelfCheckReport } from '../../src/drops/self-check.ts'
import { readCapture } from '../../src/packet/capture.ts'
import { REFUSAL_REASONS } from '../../src/pipeline/refusals.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { ENGINES, Services } from '../support/engines.ts'
import { buildPacket, type PacketFields } from '../support/packets.ts'
import { exampleRefusal, reportOf } from '../support/refusal.ts'

const TCP = 6
const CONFIG = `
  - {name: web, addresses: [203.0.113.10], ports: [80/tcp], containers: [{name: one, address: 10.77.0.11}]}
  - {name: bare, addresses: [203.0.113.11], ports: [80/tcp], containers: [{name: two, address: 10.77.0.12, weight: 0}]}
`
const REQUEST = { source: 'c6336407' as Address, destination: 'cb00710a' as Address, protocol: TCP }

function engineOf(create: (typeof ENGINES)[number][1]): Engine {
  const engine = create({ capacity: 16, probation: 16, flows: 16, fragments: 16 })
  engine.publish(new Services().compile(CONFIG))
  return engine
}

const told = ({ code, ...rest }: Refusal) => ({ is: REASONS[code]!.join(' '), ...rest })

for (const [name, create] of ENGINES)
  describe(`the ${name} engine`, () => {
    test('keeps a refused packet as it came, though it is answered in its own place', () => {
      const engine = engineOf(create)
      const packet = buildPacket({ ...REQUEST, destinationPort: 81, payload: new Uint8Array(300).fill(7) })
      const { output } = engine.process(packet.slice(), 20)
      assert.ok(output !== undefined)
      assert.deepEqual(engine.refusals().map(told), [
        {
          is: 'answer port-closed',
          packets: 1,
          bytes: packet.length,
          atMs: 20_000,
          service: 0,
          direction: 'request',
          isPartial: false,
          length: packet.length,
          beginning: packet.slice(0, 256),
        },
      ])
    })

    test('names the service, tells requests from answers, and keeps what is no packet, too', () => {
      const engine = engineOf(create)
      engine.process(buildPacket({ ...REQUEST, destination: 'cb00710b' as Address }), 20)
      engine.process(Uint8Array.of(0x45, 0, 0), 20)
      const alias = { ...REQUEST, source: '0a4d000b' as Address, destination: 'fa4d0001' as Address }
      engine.process(buildPacket({ ...alias, sourcePort: 80 }), 20)
      const kept = engine.refusals().map(told)
      assert.deepEqual(
        kept.map(({ is, service, direction, length }) => [is, service, direction, length]),
        [
          ['answer no-container', 2, 'request', 40],
          ['drop short-packet', 0, 'none', 3],
          ['drop stray-alias', 0, 'answer', 40],
        ],
      )
      assert.deepEqual(kept[1]!.beginning, Uint8Array.of(0x45, 0, 0))
    })

    test('keeps one in 100 ms of each reason, and counts all', () => {
      const engine = engineOf(create)
      const send = (now: number, fields: Partial<PacketFields>) =>
        engine.process(buildPacket({ ...REQUEST, ...fields }), now)
      send(20, { destinationPort: 81 })
      send(20, { destinationPort: 82 })
      const last = () => engine.refusals().map(({ packets, beginning }) => [packets, beginning[23]])
      assert.deepEqual(last(), [[2, 81]])
      send(21, { destinationPort: 84 })
      assert.deepEqual(last(), [[3, 84]])
    })

    test('keeps nothing of what is forwarded, passed or answered as asked', () => {
      const engine = engineOf(create)
      engine.process(buildPacket(REQUEST), 20)
      engine.process(buildPacket({ ...REQUEST, destination: '0a000001' as Address }), 20)
      engine.process(buildPacket({ ...REQUEST, protocol: 1, type: 8 }), 20)
      const verdicts = engine
        .counters()
        .reasons.flatMap(({ packets }, code) => (packets > 0 ? [REASONS[code]![0]] : []))
      assert.deepEqual(verdicts, ['forward', 'answer', 'pass'])
      assert.deepEqual(engine.refusals(), [])
    })
  })

test('every reason has its words, and no other', () => {
  assert.deepEqual(Object.keys(ADVICE).sort(), [...REFUSAL_REASONS].sort())
  for (const { meaning, remedy } of Object.values(ADVICE))
    for (const text of [meaning, remedy]) assert.match(text, /^\S.*\.$/)
})

test('a report says when by the wall clock, how many a second, and only of the reason asked for', () => {
  let packets = 10
  const drops = reportOf(() => [
    exampleRefusal('drop fragment', 3),
    exampleRefusal('drop no-container', packets),
  ])
  packets = 70
  drops.step()
  const { reasons } = drops.read('no-container')
  assert.equal(reasons.length, 1)
  const [{ last, ...found }] = reasons as [Drops['reasons'][number]]
  assert.equal(last.time, '2026-01-01T00:00:05.000Z')
  assert.equal(last.service, 'service-7')
  assert.equal(last.packet, '198.51.100.7:40000 > 203.0.113.10:81 TCP SYN, 40 bytes')
  assert.equal(found.perSecond, 60)
  assert.equal(drops.read(undefined).reasons.length, 2)
  assert.throws(
    () => drops.read('known'),
    /"known": no packet is dropped.*expected one of: port-closed, no-container/,
  )
})

test('for people: what is told of most first, with its bytes if wanted', () => {
  const drops = reportOf(() => [
    exampleRefusal('drop fragment', 1),
    exampleRefusal('answer port-closed', 1_200),
  ])
  const text = formatDrops(drops.read(undefined), Date.UTC(2026, 0, 1, 0, 0, 8), true)
  assert.match(text, /^answer port-closed: 1,200 packets, 48\.0 KB, 0 a second, the last 3 s ago$/m)
  assert.match(
    text,
    /^ {2}198\.51\.100\.7:40000 > 203\.0\.113\.10:81 TCP SYN, 40 bytes, to a public address, service service-7$/m,
  )
  assert.match(text, /^ {2}000020 {2}50 02 [0-9a-f ]+$/m)
  assert.ok(text.indexOf('port-closed') < text.indexOf('fragment'))
  assert.equal(
    formatDrops(reportOf(() => []).read(undefined), 0, false),
    'Nothing has been dropped or refused.\n',
  )
})

const seen = (bytes: string) => ({
  packet: `packet ${bytes}`,
  length: 60,
  isPartial: false,
  bytes,
})

test('what the self-check found comes first, and stands in the file as it arrived and as it left', () => {
  const wrong: SelfCheck = {
    every: 100,
    checked: 1_000,
    wrong: 2,
    last: {
      time: '2026-01-01T00:00:05.000Z',
      fault: 'transport',
      verdict: 'forward',
      reason: 'known',
      service: 'web',
      container: 'one',
      arrived: seen('4501'),
      left: seen('4502'),
    },
  }
  const drops = reportOf(() => [exampleRefusal('drop fragment', 1)], wrong).read(undefined)
  const text = formatDrops(drops, Date.UTC(2026, 0, 1, 0, 0, 8), false)
  assert.match(
    text,
    /^self-check: 2 of 1,000 packets left with a checksum they did not come with, the last 3 s ago\n/,
  )
  assert.match(
    text,
    /forward known web one: the transport checksum is wrong.*\n {2}arrived: packet 4501\n {2}left: packet 4502\n/,
  )
  const packets = Array.from(readCapture([dropsFile(drops)]), ({ packet }) =>
    Buffer.from(packet!).toString('hex'),
  )
  assert.deepEqual([packets.length, ...packets.slice(1)], [3, '4501', '4502'])
})

test('the log hears of wrong checksums once for all there have been since', () => {
  const logged: unknown[] = []
  let wrong = 0
  const io = () => ({ selfCheck: { every: 10, checked: 100, wrong } }) as IoCounters
  const report = new SelfCheckReport({
    dataPlane: { io, lastWrong: () => undefined },
    identities: { serviceName: () => undefined, containerName: () => undefined },
    log: { error: (fields: unknown) => void logged.push(fields) },
    zeroMs: () => 0,
  })
  for (wrong of [0, 3, 3, 4]) report.step()
  assert.deepEqual(logged, [
    { checked: 100, wrong: 3, last: undefined },
    { checked: 100, wrong: 4, last: undefined },
  ])
})
