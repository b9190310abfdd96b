import assert from 'node:assert/strict'
import test from 'node:test'
import type { Engine, Outcome } from '../../src/dataplane/dataplane.ts'
import { NO_OFFLOAD } from '../../src/packet/offload.ts'
import { REASONS, type Verdict } from '../../src/pipeline/verdict.ts'
import { ENGINES } from '../support/engines.ts'
import { fragmentsOf, reassembled } from '../support/fragments.ts'
import { exchanged, hasRightSums, headersOf } from '../support/packets.ts'
import { Random } from '../support/random.ts'
import { Traffic } from '../support/traffic.ts'
import { snapshotsOf, WORLDS } from '../support/worlds.ts'

const PACKETS = 60_000
const NOW = 1_000

for (const [name, create] of ENGINES)
  for (const world of WORLDS.filter(({ name }) => !/little room|empty/.test(name)))
    test(`${name}: fragments in any order arrive as their packet would, or not at all (${world.name})`, () => {
      const engine = create(world.sizes)
      engine.publish(snapshotsOf(world)())
      const random = Random.fromEnvironment()
      const told = `ONEHOP_SEED=${random.seed}`
      console.error(`${name}, ${world.name}: ${told}`)
      const traffic = new Traffic(world.config, random)
      const way = new Way(engine, random)
      for (let n = 0; n < PACKETS; n++) {
        const request = traffic.next().packet
        if (!isCuttable(request)) continue
        const forwarded = way.send(request, 'forward', `${told}, packet ${n}`)
        if (forwarded !== undefined && hasPorts(request))
          way.send(exchanged(forwarded), 'reply', `${told}, answer to packet ${n}`)
      }
      for (const [kind, count] of Object.entries(way.counts)) assert.ok(count > 5, `${kind}: only ${count}`)
    })

/** Sends packets in fragments and whole. */
class Way {
  readonly counts = { inOrder: 0, whole: 0, overtaken: 0, answers: 0 }
  #identification = 0

  constructor(
    readonly engine: Engine,
    readonly random: Random,
  ) {}

  /** What the whole packet leaves as, when it does with this verdict; by then its fragments have been sent. */
  send(packet: Uint8Array, verdict: Verdict, told: string): Uint8Array | undefined {
    const isInOrder = this.random.oneIn(2)
    const most = Math.ceil(transportOf(packet).length / 8) - 3
    const pieces = fragmentsOf(packet, 8 * (3 + this.random.below(most)), ++this.#identification & 0xffff)
    const sent = isInOrder ? pieces : shuffled(pieces, this.random)
    const outcomes = sent.map((piece) => this.#process(piece))
    const whole = this.#process(packet)
    if (verdictOf(whole) !== verdict) return undefined
    for (const [i, outcome] of outcomes.entries()) assertShared(outcome, whole, `${told}, fragment ${i}`)

    const left = outcomes.flatMap(({ output }) => (output === undefined ? [] : [output]))
    if (isInOrder) assert.equal(left.length, pieces.length, `${told}: in order, but not all of them left`)
    if (left.length < pieces.length) this.counts.overtaken++
    else assert.equal(hex(reassembled(left)!), hex(transportOf(whole.output!)), told)
    if (left.length === pieces.length) this.counts[isInOrder ? 'inOrder' : 'whole']++
    if (verdict === 'reply') this.counts.answers++
    return whole.output
  }

  #process = (packet: Uint8Array): Outcome => this.engine.process(packet.slice(), NOW, NO_OFFLOAD)
}

/** One goes where its packet goes, under the same addresses, or is dropped because its first was not there yet. */
function assertShared(outcome: Outcome, whole: Outcome, told: string): void {
  if (REASONS[outcome.code]!.join(' ') === 'drop fragment') return
  assert.equal(verdictOf(outcome), verdictOf(whole), told)
  assert.deepEqual([outcome.service, outcome.container], [whole.service, whole.container], told)
  assert.equal(hex(endsOf(outcome.output!)), hex(endsOf(whole.output!)), told)
}

const verdictOf = ({ code }: Outcome): Verdict => REASONS[code]![0]
const isVersion4 = (packet: Uint8Array): boolean => packet[0]! >> 4 === 4
const endsOf = (packet: Uint8Array) => packet.subarray(...(isVersion4(packet) ? [12, 20] : [8, 40]))
const transportOf = (packet: Uint8Array) => packet.subarray(headersOf(packet).end)
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')
const hasPorts = (packet: Uint8Array): boolean => [6, 17].includes(headersOf(packet).protocol)

/**
 * Whole and sound, large enough for two parts, without headers that would stand in front of a fragment header, and no ICMP
 * error: nobody sends those in parts.
 */
function isCuttable(packet: Uint8Array): boolean {
  if (packet.length < 80 || ![0x45, 0x60].includes(packet[0]!)) return false
  const view = new DataView(packet.buffer, packet.byteOffset)
  const length = isVersion4(packet) ? view.getUint16(2) : 40 + view.getUint16(4)
  const { protocol, end, fragment } = headersOf(packet)
  if ([1, 58].includes(protocol) && ![8, 128].includes(packet[end]!)) return false
  return length === packet.length && fragment === 0 && end <= 40 && packet[6] !== 44 && hasRightSums(packet)
}

function shuffled<T>(list: readonly T[], random: Random): T[] {
  const left = [...list]
  return list.map(() => left.splice(random.below(left.length), 1)[0]!)
}
