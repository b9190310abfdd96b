import assert from 'node:assert/strict'
import test from 'node:test'
import type { Address } from '../../src/address.ts'
import type { Engine } from '../../src/dataplane/dataplane.ts'
import { NO_OFFLOAD } from '../../src/packet/offload.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { ENGINES } from '../support/engines.ts'
import { buildPacket, exchanged, hasRightSums, headersOf } from '../support/packets.ts'
import { Random } from '../support/random.ts'
import { Traffic } from '../support/traffic.ts'
import { snapshotsOf, WORLDS } from '../support/worlds.ts'

const PACKETS = 20_000
const NOW = 1_000

for (const [name, create] of ENGINES)
  for (const world of WORLDS.filter(({ name }) => !name.includes('little room'))) {
    const open = (): { engine: Engine; random: Random; traffic: Traffic; told: string } => {
      const engine = create(world.sizes)
      engine.publish(snapshotsOf(world)())
      const random = Random.fromEnvironment()
      const told = `ONEHOP_SEED=${random.seed}`
      console.error(`${name}, ${world.name}: ${told}`)
      return { engine, random, traffic: new Traffic(world.config, random), told }
    }

    test(`${name}: what leaves has right sums when what came had them (${world.name})`, () => {
      const { engine, traffic, told } = open()
      let checked = 0
      for (let n = 0; n < PACKETS; n++) {
        const { packet } = traffic.next()
        const hadRightSums = isWhole(packet) && hasRightSums(packet)
        const { code, output } = engine.process(packet.slice(), NOW, NO_OFFLOAD)
        if (code <= FORWARDED) traffic.forwarded(output!)
        if (!hadRightSums || output === undefined) continue
        assert.ok(hasRightSums(output), `${told}, packet ${n}: ${hex(packet)} left as ${hex(output)}`)
        checked++
      }
      assert.ok(checked > PACKETS / 4, `only ${checked} packets checked`)
    })

    test(`${name}: a reply has the ends of its request exchanged and nothing else changed (${world.name})`, () => {
      const { engine, traffic, told } = open()
      let replied = 0
      for (let n = 0; n < PACKETS; n++) {
        const request = traffic.next().packet
        const sound = isWhole(request) && hasRightSums(request) && isEchoOrPorts(request)
        const { code, output } = engine.process(request.slice(), NOW, NO_OFFLOAD)
        if (!sound || code > FORWARDED) continue
        const answer = exchanged(output!)
        const reply = engine.process(answer.slice(), NOW, NO_OFFLOAD)
        assert.equal(REASONS[reply.code]![0], 'reply', `${told}, packet ${n}: ${hex(request)}`)
        assert.equal(hex(reply.output!), hex(exchanged(request)), `${told}, packet ${n}: ${hex(request)}`)
        replied++
      }
      const isServed = world.name !== 'empty services'
      assert.ok(replied > PACKETS / (isServed ? 20 : 200), `only ${replied} replies`)
    })

    test(`${name}: an error about a forwarded request quotes to the client what it sent (${world.name})`, () => {
      const { engine, random, traffic, told } = open()
      let quoted = 0
      for (let n = 0; n < PACKETS; n++) {
        const request = traffic.next().packet
        const sound = isWhole(request) && hasRightSums(request) && isEchoOrPorts(request)
        const { code, output } = engine.process(request.slice(), NOW, NO_OFFLOAD)
        if (!sound || code > FORWARDED) continue
        const error = engine.process(errorAbout(output!, random), NOW, NO_OFFLOAD)
        assert.equal(REASONS[error.code]!.join(' '), 'reply quoted', `${told}, packet ${n}: ${hex(request)}`)
        const quote = error.output!.subarray(isVersion4(request) ? 28 : 48)
        assert.equal(hex(quote), hex(request.subarray(0, quote.length)), `${told}, packet ${n}`)
        assert.ok(hasRightSums(error.output!), `${told}, packet ${n}: ${hex(error.output!)}`)
        quoted++
      }
      const isServed = world.name !== 'empty services'
      assert.ok(quoted > PACKETS / (isServed ? 20 : 200), `only ${quoted} errors`)
    })

    test(`${name}: any bytes get one verdict and what leaves fits what came (${world.name})`, () => {
      const { engine, random, told } = open()
      for (let n = 0; n < PACKETS; n++) {
        const bytes = random.bytes(random.below(100))
        if (bytes.length > 0) bytes[0] = random.pick([0x45, 0x4f, 0x60, 0x6f, bytes[0]!])
        const { code, output } = engine.process(bytes, NOW, NO_OFFLOAD)
        assert.ok(REASONS[code] !== undefined, told)
        assert.equal(output === undefined, REASONS[code]![0] === 'drop', told)
      }
      const { received, reasons } = engine.counters()
      assert.equal(received.packets, PACKETS)
      assert.equal(
        reasons.reduce((sum, { packets }) => sum + packets, 0),
        PACKETS,
      )
    })
  }

/** Codes up to this are `forward`. */
const FORWARDED = REASONS.findLastIndex(([verdict]) => verdict === 'forward')

const isVersion4 = (packet: Uint8Array): boolean => packet[0]! >> 4 === 4

/**
 * From where the packet went, quoting 8 bytes of its transport header or more. Whole words: half a checksum cannot be
 * restored, for the carry of the other half is lost.
 */
function errorAbout(packet: Uint8Array, random: Random): Uint8Array {
  const is4 = isVersion4(packet)
  const [at, bytes] = is4 ? [12, 4] : [8, 16]
  const least = headersOf(packet).end + 8
  const address = (from: number) =>
    Buffer.from(packet.subarray(from, from + bytes)).toString('hex') as Address
  return buildPacket({
    source: address(at + bytes),
    destination: address(at),
    protocol: is4 ? 1 : 58,
    type: is4 ? 3 : 1,
    payload: packet.subarray(0, least + 2 * random.below(Math.ceil((packet.length - least + 1) / 2))),
  })
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

/** No padding behind it, so that sums over all bytes are sums over the packet. */
function isWhole(packet: Uint8Array): boolean {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length)
  if (packet.length < 28 || (packet[0]! >> 4 === 6 && packet.length < 48)) return false
  const length = packet[0]! >> 4 === 4 ? view.getUint16(2) : 40 + view.getUint16(4)
  return length === packet.length && (packet[0]! & 0xf) * 4 + 8 <= packet.length
}

/** Protocols whose answers come from an endpoint that the packet names; no fragments. */
function isEchoOrPorts(packet: Uint8Array): boolean {
  const { protocol, fragment, isRouted } = headersOf(packet)
  return fragment === 0 && !isRouted && [6, 17].includes(protocol)
}
