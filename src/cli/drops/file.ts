import type { DropReason, Drops } from '../../api/drops.ts'
import { interfaceBlock, packetBlock, sectionBlock } from '../../packet/pcapng-writer.ts'
import { readVersion } from '../../version.ts'

/** The bytes that are kept of a packet. */
const SNAP = 256

/** The last packet of each reason as a pcapng file, the earliest first. */
export function dropsFile({ tun, reasons }: Drops): Buffer {
  const inTime = reasons.toSorted((a, b) => a.last.time.localeCompare(b.last.time))
  return Buffer.concat([
    sectionBlock(`onehop ${readVersion()}`),
    interfaceBlock(tun, 'as it arrived', SNAP),
    ...inTime.map(packetOf),
  ])
}

const packetOf = ({ verdict, reason, packets, meaning, last }: DropReason, number: number): Uint8Array =>
  packetBlock({
    interface: 0,
    timestamp: BigInt(Date.parse(last.time)) * 1_000_000n,
    bytes: Buffer.from(last.bytes, 'hex'),
    length: last.length,
    direction: 'inbound',
    id: BigInt(number),
    lost: 0,
    comment: [
      `${verdict} ${reason}, the last of ${packets}`,
      ...(last.service === undefined ? [] : [`service ${last.service}`]),
      ...(last.isPartial ? ['checksum left to the device'] : []),
      meaning,
    ].join(', '),
  })
