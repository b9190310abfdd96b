/** The self-check's law: a rewrite leaves every checksum as right, or as wrong, as it was. */
import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'node:test'
import { loadAddon } from '../../src/dataplane/addon.ts'
import { createNativeEngine } from '../../src/dataplane/native.ts'
import { readCapture } from '../../src/packet/capture.ts'
import { REASONS } from '../../src/pipeline/verdict.ts'
import { Random } from '../support/random.ts'
import { Traffic } from '../support/traffic.ts'
import { snapshotsOf, WORLDS } from '../support/worlds.ts'

const VECTORS = join(import.meta.dirname, '..', 'vectors')
const { sumFault } = loadAddon()
const random = Random.fromEnvironment()
const told = `ONEHOP_SEED=${random.seed}`
console.error(`checksums: ${told}`)

interface Pair {
  readonly place: string
  readonly code: number
  readonly arrived: Uint8Array
  readonly left: Uint8Array
}

const packetsOf = (...path: readonly string[]) =>
  Array.from(readCapture([readFileSync(join(VECTORS, ...path))]), ({ packet }) => packet?.slice())

/** What the vectors say must leave for what arrives: bytes that scapy and the kernel's NAT made. */
function pairsOf(vector: string): readonly Pair[] {
  const arriving = packetsOf(vector, 'in.pcap')
  const leaving = packetsOf(vector, 'out.pcap')
  const lines = readFileSync(join(VECTORS, vector, 'verdicts.jsonl'), 'utf8')
    .trim()
    .split('\n')
  const verdicts = lines.map((line) => JSON.parse(line) as { n: number; verdict: string; reason: string })
  let next = 0
  return verdicts.flatMap(({ n, verdict, reason }) => {
    const arrived = arriving[n - 1]
    if (verdict === 'drop' || arrived === undefined) return []
    const code = REASONS.findIndex((pair) => pair[0] === verdict && pair[1] === reason)
    return [{ place: `${vector}, packet ${n}, ${told}`, code, arrived, left: leaving[next++]! }]
  })
}

const pairs = readdirSync(VECTORS, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap(({ name }) => pairsOf(name))

const faultOf = ({ code, arrived, left }: Pair) => sumFault(code, arrived, undefined, left, undefined)

test('no packet of the vectors leaves with a fault that it did not come with', () => {
  assert.ok(pairs.length > 1_000, `${pairs.length} packets`)
  for (const pair of pairs) assert.equal(faultOf(pair), 'none', pair.place)
})

/** The bytes from `start` to `end`, without these. */
const range = (start: number, end: number): readonly number[] =>
  Array.from({ length: end - start }, (_, i) => start + i)

const [ICMP, TCP, UDP, ICMP6] = [1, 6, 17, 58]

/** Where RFC 791, 768, 792, 4443 and 9293 have a checksum cover it; none of packets that are not as simple as that. */
function coveredBytes(packet: Uint8Array): readonly number[] {
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  const isV6 = packet[0] === 0x60
  if (!isV6 && (packet[0] !== 0x45 || (view.getUint16(6) & 0x3fff) !== 0)) return []
  const [protocol, start] = isV6 ? [packet[6]!, 40] : [packet[9]!, 20]
  const end = isV6 ? 40 + view.getUint16(4) : view.getUint16(2)
  const header = isV6 ? [] : range(0, 20)
  if (![TCP, UDP, isV6 ? ICMP6 : ICMP].includes(protocol)) return header
  if (protocol === UDP && view.getUint16(start + 6) === 0) return header
  return [...header, ...(isV6 ? range(8, 40) : []), ...range(start, end)]
}

test('any one bit that a checksum covers is missed when it is another on leaving', () => {
  let flipped = 0
  for (const pair of pairs) {
    const covered = coveredBytes(pair.left)
    for (let n = 0; n < 20 && covered.length > 0; n++) {
      const left = pair.left.slice()
      const at = random.pick(covered)
      left[at]! ^= 1 << random.below(8)
      assert.notEqual(faultOf({ ...pair, left }), 'none', `${pair.place}, byte ${at}: ${hex(left)}`)
      flipped++
    }
  }
  assert.ok(flipped > 10_000, `${flipped} bits`)
})

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

for (const world of WORLDS)
  test(`nothing that the native engine does is a fault, whatever comes, whole or broken or left to a device (${world.name})`, () => {
    const engine = createNativeEngine(world.sizes)
    engine.publish(snapshotsOf(world)())
    const traffic = new Traffic(world.config, random)
    let checked = 0
    for (let n = 0; n < 20_000; n++) {
      const { packet, offload } = traffic.next()
      const { code, output } = engine.process(packet.slice(), 1_000, offload)
      if (output === undefined) continue
      const [verdict] = REASONS[code]!
      if (verdict === 'forward') traffic.forwarded(output)
      const leavesWith = verdict === 'answer' ? undefined : offload
      const fault = sumFault(code, packet, offload, output, leavesWith)
      assert.equal(
        fault,
        'none',
        `${told}, packet ${n}, ${REASONS[code]}: ${hex(packet)} as ${hex(output)}, ${JSON.stringify(offload)}`,
      )
      checked++
    }
    assert.ok(checked > 5_000, `${checked} packets`)
  })

test('what a corrupted rewrite does to a packet that came in wrong, or was left to a device, is seen too', () => {
  const world = WORLDS[0]!
  const engine = createNativeEngine(world.sizes)
  engine.publish(snapshotsOf(world)())
  const traffic = new Traffic(world.config, random)
  const seen = { wrong: 0, partial: 0 }
  for (let n = 0; n < 20_000; n++) {
    const { packet, offload } = traffic.next()
    const { code, output } = engine.process(packet.slice(), 1_000, offload)
    if (output === undefined || !['forward', 'reply'].includes(REASONS[code]![0])) continue
    const [isV4, protocol] = [packet[0] === 0x45, packet[0] === 0x45 ? packet[9] : packet[6]]
    if (
      !(isV4 || packet[0] === 0x60) ||
      protocol !== TCP ||
      (isV4 && ((packet[6]! & 0x3f) | packet[7]!) !== 0)
    )
      continue
    const field = (isV4 ? 20 : 40) + 16
    output[field + random.below(2)]! ^= 1 << random.below(8)
    assert.equal(
      sumFault(code, packet, offload, output, offload),
      'transport',
      `${told}, packet ${n}: ${hex(packet)}`,
    )
    seen[offload.needsChecksum ? 'partial' : 'wrong']++
  }
  assert.ok(seen.wrong > 100 && seen.partial > 20, JSON.stringify(seen))
})
