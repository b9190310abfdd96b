import type { DropReason, Drops } from '../../api/drops.ts'
import { interfaceBlock, packetBlock, sectionBlock } from '../../packet/pcapng-writer.ts'
import { readVersion } from '../../version.ts'

/** The bytes that are kept of a packet. */
const SNAP = 256

/** The last packet of each reason as a pcapng file, the earliest first; then the one that the self-check found, if any. */
export function dropsFile({ tun, reasons, selfCheck: { last } }: Drops): Buffer {
  const inTime = reasons.toSorted((a, b) => a.last.time.localeCompare(b.last.time))
  const refused = inTime.map((reason) => ({ ...reason.last, comment: commentOf(reason) }))
  const comment = last && `self-check: the ${last.fault} checksum went wrong, ${last.verdict} ${last.reason}`
  return Buffer.concat([
    sectionBlock(`onehop ${readVersion()}`),
    interfaceBlock(tun, 'inbound: as it arrived; outbound: as it left', SNAP),
    ...refused.map((packet, number) => packetOf(packet, number, 'inbound')),
    ...(last === undefined ? [] : (['arrived', 'left'] as const)).map((end) =>
      packetOf(
        { ...last![end], time: last!.time, comment: comment! },
        refused.length,
        end === 'arrived' ? 'inbound' : 'outbound',
      ),
    ),
  ])
}

interface Kept {
  readonly time: string
  readonly bytes: string
  readonly length: number
  readonly comment: string
}

const packetOf = (
  { time, bytes, length, comment }: Kept,
  number: number,
  direction: 'inbound' | 'outbound',
): Uint8Array =>
  packetBlock({
    interface: 0,
    timestamp: BigInt(Date.parse(time)) * 1_000_000n,
    bytes: Buffer.from(bytes, 'hex'),
    length,
    direction,
    id: BigInt(number),
    lost: 0,
    comment,
  })

const commentOf = ({ verdict, reason, packets, meaning, last }: DropReason): string =>
  [
    `${verdict} ${reason}, the last of ${packets}`,
    ...(last.service === undefined ? [] : [`service ${last.service}`]),
    ...(last.isPartial ? ['checksum left to the device'] : []),
    meaning,
  ].join(', ')
