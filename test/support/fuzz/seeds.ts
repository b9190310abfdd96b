import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseAddress } from '../../../src/config/address.ts'
import { UDP } from '../../../src/packet/udp.ts'
import { buildPacket } from '../packets.ts'
import { packetsByVector } from '../vector-packets.ts'
import type { Target } from './fuzzer.ts'
import { neighbourMessages } from './netlink.ts'
import { encodedSnapshots, WORLDS_FUZZED } from './worlds.ts'

/** As native/fuzz/steps.h has them. */
const STEPS_AT_MOST = 12
const BYTES_AT_MOST = 255
const [PACKET, ANSWER, FOLLOW, ERROR, PUBLISH] = [0, 1, 2, 3, 5]

/** Writes inputs to start from. */
export function writeSeeds(target: Target, folder: string): void {
  for (const [name, bytes] of SEEDS[target]()) writeFileSync(join(folder, name), bytes)
}

type Seed = readonly [name: string, bytes: Uint8Array]

/** What the vectors send, once for each world; the worlds' own snapshots; a datagram with a message of each kind. */
const SEEDS: Readonly<Record<Target, () => readonly Seed[]>> = {
  pipeline: vectorSeeds,
  snapshot: () => encodedSnapshots().map((bytes, i) => [String(i), bytes]),
  netlink: () => [['messages', neighbourMessages()]],
}

function vectorSeeds(): readonly Seed[] {
  const worlds = Array.from({ length: WORLDS_FUZZED }, (_, world) => world)
  return [...packetsByVector(), ['unasked', UNASKED] as const].flatMap(([name, packets]) =>
    inputsOf(packets.map((packet) => packet.subarray(0, BYTES_AT_MOST))).flatMap((steps, part) =>
      worlds.map((world) => [`${name}-${part}-${world}`, Uint8Array.from([world, 0, ...steps])] as const),
    ),
  )
}

/** A known client of the service that remembers flows (worlds.ts), and what its container sends from a port that nobody asked. */
const UNASKED: readonly Uint8Array[] = [
  [parseAddress('2001:db8:7::7'), parseAddress('2001:db8:53::11')],
  ...['fd77::31', 'fd77::32'].map((container) => [parseAddress(container), parseAddress('2001:db8:7::7')]),
].map(([source, destination], i) =>
  buildPacket({
    ...{ source: source!, destination: destination!, protocol: UDP.protocol },
    ...(i === 0 ? { sourcePort: 40_000, destinationPort: 53 } : { sourcePort: 54, destinationPort: 40_000 }),
  }),
)

/** The packets as they came, a few at a time; and the first one with what may follow on it, or come before. */
function inputsOf(packets: readonly Uint8Array[]): readonly (readonly number[])[] {
  const inputs: number[][] = []
  for (let at = 0; at < packets.length; at += STEPS_AT_MOST)
    inputs.push(packets.slice(at, at + STEPS_AT_MOST).flatMap(packetStep))
  for (const packet of packets.slice(0, 1))
    inputs.push([...packetStep(packet), ...CONVERSATION], [...SOME_GONE, ...packetStep(packet)])
  return inputs
}

const packetStep = (packet: Uint8Array): readonly number[] => [PACKET, packet.length, 0, 0, ...packet]

/** The second state of the world's containers. */
const SOME_GONE = [PUBLISH, 2, 0, 0]
const CONVERSATION = [ANSWER, FOLLOW, ERROR, FOLLOW, ANSWER].flatMap((kind) => [kind, 0, 0, 0])
