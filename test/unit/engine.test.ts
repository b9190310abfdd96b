import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import type { Address } from '../../src/address.ts'
import type { Engine, Outcome, TableSizes } from '../../src/dataplane/dataplane.ts'
import type { ContainerState } from '../../src/pipeline/snapshot.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { ENGINES, entriesOf, Services } from '../support/engines.ts'
import { ACK, buildPacket, exchanged, type PacketFields, SYN, withRightSums } from '../support/packets.ts'

/** What every implementation of the pipeline promises, packet by packet. */

const PUBLIC = 'cb00710a' as Address // 203.0.113.10
const CLIENT = 'c6336407' as Address // 198.51.100.7
const OTHER = 'c6336409' as Address
const TCP = 6
const UDP = 17

const TWO = `
  - name: web
    addresses: [203.0.113.10]
    ports: [80/tcp, 53/udp]
    containers: [{name: one, address: 10.77.0.11}, {name: two, address: 10.77.0.12}]
    affinity: {idle: 30s}
`

const ROOMY: TableSizes = { capacity: 64, probation: 64, flows: 64, fragments: 64 }

/** An engine with services in force, a clock, and words for what clients and containers do. */
class Scene {
  readonly engine: Engine
  readonly #services = new Services()
  now = 1_000

  constructor(create: (sizes: TableSizes) => Engine, yaml = TWO, sizes = ROOMY, frame = '') {
    this.engine = create(sizes)
    this.publish(yaml, {}, frame)
  }

  publish(yaml: string, states: Readonly<Record<string, ContainerState>> = {}, frame = ''): void {
    this.engine.publish(this.#services.compile(yaml, states, frame))
  }

  send(fields: Partial<PacketFields> = {}): Outcome {
    const packet = buildPacket({ source: CLIENT, destination: PUBLIC, protocol: TCP, ...fields })
    return this.engine.process(packet, this.now)
  }

  /** The container's answer to what reached it. */
  answer(to: Outcome, flags = SYN | ACK, sequence = 7): Outcome {
    const packet = exchanged(to.output!)
    if (packet[9] === TCP) {
      new DataView(packet.buffer).setUint32(24, sequence)
      packet[33] = flags
    }
    return this.engine.process(withRightSums(packet), this.now)
  }

  /** A TCP handshake as far as the client's ACK, which proves that it exists. */
  connect(source: Address = CLIENT): Outcome {
    this.answer(this.send({ source }))
    return this.send({ source, flags: ACK, acknowledgment: 8 })
  }

  /** The name of the container that a packet went to. */
  containerOf({ container }: Outcome): string | undefined {
    return this.#services.identities.containerName(container)
  }

  entries() {
    return [...entriesOf(this.engine)]
  }
}

const verdictOf = ({ code }: Outcome): string => REASONS[code]!.join(' ')

for (const [name, create] of ENGINES)
  describe(`the ${name} engine`, () => {
    test('takes a source into the table when its ACK meets the number that the container chose', () => {
      const scene = new Scene(create)
      const first = scene.send()
      assert.equal(verdictOf(first), 'forward chosen')
      assert.equal(verdictOf(scene.answer(first)), 'reply endpoint')
      assert.deepEqual(scene.entries(), [])
      scene.now += 5
      assert.equal(verdictOf(scene.send({ flags: ACK, acknowledgment: 8 })), 'forward known')
      const { scope: _, ...entry } = scene.entries()[0]!
      assert.deepEqual(entry, {
        source: CLIENT,
        container: first.container,
        origin: 'assigned',
        sinceSeconds: 1_000,
        seenSeconds: 1_005,
        packets: 1,
        bytes: 40,
      })
    })

    test('leaves a source on probation that acknowledges what the container never sent', () => {
      const scene = new Scene(create)
      scene.answer(scene.send())
      for (const acknowledgment of [0, 7, 8 + 0x10000]) scene.send({ flags: ACK, acknowledgment })
      scene.send({ flags: SYN | ACK, acknowledgment: 8 })
      assert.deepEqual(scene.entries(), [])
      assert.equal(scene.engine.counters().table.probation, 1)
    })

    test('takes no proof from a source whose container only reset the connection', () => {
      const scene = new Scene(create)
      scene.answer(scene.send(), 0x14)
      scene.send({ flags: ACK, acknowledgment: 8 })
      assert.deepEqual(scene.entries(), [])
    })

    test('takes a UDP source when it sends again after an answer, not before', () => {
      const scene = new Scene(create)
      const query = { protocol: UDP, destinationPort: 53 }
      scene.send(query)
      const second = scene.send(query)
      assert.deepEqual(scene.entries(), [])
      scene.answer(second)
      assert.deepEqual(scene.entries(), [])
      scene.send(query)
      assert.equal(scene.entries().length, 1)
    })

    test('believes no other protocol than the one that the container answered', () => {
      const scene = new Scene(create)
      scene.answer(scene.send({ protocol: UDP, destinationPort: 53 }))
      scene.send({ flags: ACK, acknowledgment: 1 })
      assert.deepEqual(scene.entries(), [])
    })

    test('leaves answers to clients alone that never came through the public address', () => {
      const scene = new Scene(create)
      const answer = buildPacket({
        source: '0a4d000b' as Address,
        destination: OTHER,
        protocol: TCP,
        sourcePort: 80,
      })
      const outcome = scene.engine.process(answer.slice(), scene.now)
      assert.equal(verdictOf(outcome), 'pass unknown-client')
      assert.deepEqual(outcome.output, answer)
    })

    test('leaves the answer of a container alone that the client did not go to', () => {
      const scene = new Scene(create)
      const went = scene.containerOf(scene.connect())
      const other = (went === 'one' ? '0a4d000c' : '0a4d000b') as Address
      const answer = buildPacket({
        source: other,
        destination: CLIENT,
        protocol: TCP,
        sourcePort: 80,
        destinationPort: 40_000,
      })
      assert.equal(verdictOf(scene.engine.process(answer, scene.now)), 'pass unknown-client')
    })

    test('refuses entries when the table is full, and serves their sources all the same', () => {
      const scene = new Scene(create, TWO, { ...ROOMY, capacity: 1 })
      scene.connect(CLIENT)
      const second = scene.connect(OTHER)
      assert.equal(verdictOf(second), 'forward known')
      assert.equal(verdictOf(scene.answer(second, ACK)), 'reply endpoint')
      assert.deepEqual(
        scene.entries().map(({ source }) => source),
        [CLIENT],
      )
      assert.equal(scene.engine.counters().table.full, 1)
    })

    test('gives the place of an idle entry to another source only after expire', () => {
      const scene = new Scene(create, TWO, { ...ROOMY, capacity: 1 })
      scene.connect(CLIENT)
      scene.now += 31
      scene.connect(OTHER)
      assert.equal(scene.engine.counters().table.full, 1)
      assert.equal(scene.engine.expire(scene.now), 1)
      scene.send({ source: OTHER, flags: ACK, acknowledgment: 8 })
      assert.deepEqual(
        scene.entries().map(({ source }) => source),
        [OTHER],
      )
    })

    test('keeps an entry for exactly its idle time and counts it as absent from then on', () => {
      const scene = new Scene(create)
      scene.connect()
      scene.now += 30
      assert.equal(scene.engine.expire(scene.now), 0)
      assert.equal(verdictOf(scene.send()), 'forward known')
      scene.now += 31
      assert.equal(verdictOf(scene.send()), 'forward chosen')
      assert.equal(scene.engine.expire(scene.now), 1)
      assert.deepEqual(scene.entries(), [])
      assert.equal(scene.engine.counters().table.expired, 1)
    })

    test('keeps an entry in use by what the container sends, too', () => {
      const scene = new Scene(create)
      const request = scene.connect()
      scene.now += 25
      scene.answer(request, ACK)
      scene.now += 25
      assert.equal(verdictOf(scene.send()), 'forward known')
    })

    test('expires the entries of a service that is gone', () => {
      const scene = new Scene(create)
      scene.connect()
      scene.publish(TWO.replace('name: web', 'name: shop'))
      scene.now += 1
      assert.equal(scene.engine.expire(scene.now), 1)
    })

    test('moves a source whose container went down, and keeps since', () => {
      const scene = new Scene(create)
      const before = scene.containerOf(scene.connect())!
      scene.publish(TWO, { [before]: 'down' })
      scene.now += 3
      const outcome = scene.send()
      assert.equal(verdictOf(outcome), 'forward chosen')
      assert.notEqual(scene.containerOf(outcome), before)
      const [entry] = scene.entries()
      assert.equal(entry!.container, outcome.container)
      assert.equal(entry!.sinceSeconds, 1_000)
      assert.equal(entry!.seenSeconds, 1_003)
      assert.equal(scene.engine.counters().table.moved, 1)
    })

    test('keeps a source at a container that drains, and sends it no new ones', () => {
      const scene = new Scene(create)
      const before = scene.containerOf(scene.connect())!
      scene.publish(TWO, { [before]: 'draining' })
      assert.equal(scene.containerOf(scene.send()), before)
      for (let last = 10; last < 60; last++)
        assert.notEqual(scene.containerOf(scene.send({ source: `c63364${last}` as Address })), before)
    })

    test('lets the longest pin decide that has a usable container, before the entry', () => {
      const pinned = `${TWO}
    pins:
      - {source: 198.51.100.0/24, container: one}
      - {source: 198.51.100.7, container: two}`
      const scene = new Scene(create, pinned)
      assert.equal(scene.containerOf(scene.connect()), 'two')
      assert.equal(verdictOf(scene.send()), 'forward pinned')
      assert.equal(scene.containerOf(scene.send({ source: OTHER })), 'one')
      scene.publish(pinned, { two: 'down' })
      assert.equal(scene.containerOf(scene.send()), 'one')
      assert.deepEqual(
        scene.entries().map(({ origin }) => origin),
        ['pinned'],
      )
    })

    test('says when a source falls back from a pin, from its first packet until the container is up again', () => {
      const yaml = `${TWO}
    pins: [{source: 198.51.100.0/29, container: two}]`
      const scene = new Scene(create, yaml)
      scene.publish(yaml, { two: 'down' })
      const outcome = scene.send()
      assert.equal(verdictOf(outcome), 'forward unpinned')
      assert.equal(scene.containerOf(outcome), 'one')
      assert.equal(verdictOf(scene.connect()), 'forward unpinned')
      assert.deepEqual(
        scene.entries().map(({ origin }) => origin),
        ['assigned'],
      )
      assert.equal(verdictOf(scene.send({ source: OTHER })), 'forward chosen')
      scene.publish(yaml)
      const back = scene.send()
      assert.equal(verdictOf(back), 'forward pinned')
      assert.equal(scene.containerOf(back), 'two')
      assert.equal(scene.engine.counters().table.moved, 1)
    })

    test('takes a draining container for a pin that leads to it', () => {
      const yaml = `${TWO}
    pins: [{source: 198.51.100.7, container: two}]`
      const scene = new Scene(create, yaml)
      scene.publish(yaml, { two: 'draining' })
      assert.equal(verdictOf(scene.send()), 'forward pinned')
    })

    test('gives the sources of one affinity prefix one entry', () => {
      const scene = new Scene(create, TWO.replace('idle: 30s', 'prefix4: 24'))
      const { source } = scene.connect(CLIENT)
      assert.equal(source, 'c6336400')
      assert.equal(verdictOf(scene.send({ source: OTHER })), 'forward known')
    })

    test('forgets the sources on probation that come too many for it, one place at a time', () => {
      const scene = new Scene(create, TWO, { ...ROOMY, probation: 4 })
      const sources = Array.from({ length: 5 }, (_, i) => `c633640${i}` as Address)
      for (const source of sources) scene.send({ source })
      assert.equal(verdictOf(scene.send({ source: sources[4]! })), 'forward known')
      assert.equal(verdictOf(scene.send({ source: sources[1]! })), 'forward known')
      assert.equal(verdictOf(scene.send({ source: sources[0]! })), 'forward chosen')
    })

    test('returns answers of a shared endpoint from the address that was asked, by flow', () => {
      const scene = new Scene(create, TWO.replace('[203.0.113.10]', '[203.0.113.10, 203.0.113.11]'))
      const second = 'cb00710b' as Address
      const asked = scene.send({ destination: second, sourcePort: 5_000 })
      scene.send({ destination: PUBLIC, sourcePort: 5_001 })
      const reply = scene.answer(asked)
      assert.equal(verdictOf(reply), 'reply flow')
      assert.deepEqual(Buffer.from(reply.output!.subarray(12, 16)).toString('hex'), second)
    })

    test('drops the answer of a shared endpoint whose flow was forgotten', () => {
      const yaml = TWO.replace('[203.0.113.10]', '[203.0.113.10, 203.0.113.11]')
      const scene = new Scene(create, yaml, { ...ROOMY, flows: 1 })
      const first = scene.send({ sourcePort: 5_000 })
      for (let port = 5_001; port < 5_005; port++) scene.send({ sourcePort: port })
      assert.equal(verdictOf(scene.answer(first)), 'drop unknown-flow')
    })

    test('sends at most a thousand ICMP errors in one second', () => {
      const scene = new Scene(create)
      const closed = () => verdictOf(scene.send({ protocol: UDP, destinationPort: 9 }))
      for (let n = 0; n < 1_000; n++) assert.equal(closed(), 'answer port-closed')
      assert.equal(closed(), 'drop answer-limit')
      scene.now += 1
      assert.equal(closed(), 'answer port-closed')
    })

    test('keeps the table and its key when a snapshot has another', () => {
      const scene = new Scene(create, TWO, ROOMY, 'key: "00000000000000000000000000000001"')
      scene.connect()
      scene.publish(TWO, {}, 'key: "ffffffffffffffffffffffffffffffff"')
      assert.equal(verdictOf(scene.send()), 'forward known')
      assert.equal(scene.entries().length, 1)
    })

    test('counts bytes as received, for services and containers by direction', () => {
      const scene = new Scene(create)
      const request = scene.send()
      scene.answer(request)
      const { received, services, containers } = scene.engine.counters()
      assert.deepEqual(received, { packets: 2, bytes: 80 })
      const both = { in: { packets: 1, bytes: 40 }, out: { packets: 1, bytes: 40 } }
      assert.deepEqual([...services], [[1, both]])
      assert.deepEqual([...containers], [[request.container, both]])
    })

    test('lists more entries than one batch holds, each once', () => {
      const scene = new Scene(create, TWO, { capacity: 20_000, probation: 2 ** 16, flows: 1, fragments: 1 })
      const sources = Array.from(
        { length: 10_000 },
        (_, i) => (0x0a000000 + i).toString(16).padStart(8, '0') as Address,
      )
      for (const source of sources) scene.connect(source)
      assert.deepEqual(
        scene
          .entries()
          .map(({ source }) => source)
          .sort(),
        sources,
      )
      scene.now += 31
      assert.equal(scene.engine.expire(scene.now), 10_000)
      assert.equal(scene.engine.counters().table.entries, 0)
    })
  })
