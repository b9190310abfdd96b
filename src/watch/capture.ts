import { interfaceBlock, packetBlock, sectionBlock, statisticsBlock } from '../packet/pcapng-writer.ts'
import type { Sighting } from './sighting.ts'
import { commentOf, type Names } from './story.ts'

const [TUN, BRIDGE] = [0, 1]

/** What a capture begins with. Packets arrive from the TUN, and leave onto a bridge or back into the TUN. */
export function captureHead(application: string, tun: string, bridges: readonly string[], snap: number) {
  return Buffer.concat([
    sectionBlock(application),
    interfaceBlock(tun, 'inbound: as it arrived; outbound: written back, for the kernel to route', snap),
    interfaceBlock(bridges.join(' '), 'as it was written for a container', snap),
  ])
}

/** A packet as it arrived and, unless it was dropped, as it left. `id`: the same for both. */
export function captureSighting(sighting: Sighting, id: bigint, names: Names): Uint8Array {
  const { arrived, departed, readNs, writtenNs, left, lost } = sighting
  const comment = commentOf(sighting, names)
  const first = packetBlock({
    interface: TUN,
    timestamp: readNs,
    ...arrived,
    direction: 'inbound',
    id,
    lost,
    comment,
  })
  if (departed === undefined) return first
  const timestamp = readNs + BigInt(writtenNs)
  const number = left === 'bridge' ? BRIDGE : TUN
  const second = packetBlock({
    interface: number,
    timestamp,
    ...departed,
    direction: 'outbound',
    id,
    lost: 0,
    comment,
  })
  return Buffer.concat([first, second])
}

/** How many packets were to be seen, and were not for want of room. */
export const captureCounts = (timestamp: bigint, matched: number, lost: number): Uint8Array =>
  statisticsBlock(TUN, timestamp, matched, lost)
