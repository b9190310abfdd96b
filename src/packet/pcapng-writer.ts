import { LINKTYPE_RAW } from './linktype.ts'

/**
 * Blocks of a pcapng file of raw IP packets (draft-ietf-opsawg-pcapng), in little-endian order and with times in
 * nanoseconds. Texts are cut where an option's length ends, 65,535 bytes.
 */
const BLOCK = { section: 0x0a0d0d0a, interface: 1, statistics: 5, enhancedPacket: 6 } as const
const OPTION = {
  end: 0,
  comment: 1,
  application: 4, // shb_userappl
  name: 2, // if_name
  description: 3, // if_description
  timestampResolution: 9, // if_tsresol
  flags: 2, // epb_flags
  dropCount: 4, // epb_dropcount
  packetId: 5, // epb_packetid
  received: 4, // isb_ifrecv
  dropped: 5, // isb_ifdrop
} as const

const NANOSECONDS = 9
const LONGEST_OPTION = 65_535

type Option = readonly [code: number, value: Uint8Array]

const encoder = new TextEncoder()
const text = (value: string): Uint8Array => encoder.encode(value).subarray(0, LONGEST_OPTION)

function word32(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

function word64(value: bigint): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, value, true)
  return bytes
}

const padded = (length: number): number => (length + 3) & ~3

const optionsLength = (options: readonly Option[]): number =>
  options.reduce((sum, [, value]) => sum + 4 + padded(value.length), 4)

/** A block whose body is `fixed`, then `data` padded, then options. */
function block(type: number, fixed: Uint8Array, data: Uint8Array, options: readonly Option[]): Uint8Array {
  const length = 12 + fixed.length + padded(data.length) + optionsLength(options)
  const bytes = new Uint8Array(length)
  const view = new DataView(bytes.buffer)
  view.setUint32(0, type, true)
  view.setUint32(4, length, true)
  bytes.set(fixed, 8)
  bytes.set(data, 8 + fixed.length)
  let at = 8 + fixed.length + padded(data.length)
  for (const [code, value] of options) {
    view.setUint16(at, code, true)
    view.setUint16(at + 2, value.length, true)
    bytes.set(value, at + 4)
    at += 4 + padded(value.length)
  }
  view.setUint32(length - 4, length, true)
  return bytes
}

const NOTHING = new Uint8Array(0)

/** What every file begins with. */
export function sectionBlock(application: string): Uint8Array {
  const fixed = new DataView(new ArrayBuffer(16))
  fixed.setUint32(0, 0x1a2b3c4d, true)
  fixed.setUint16(4, 1, true)
  fixed.setBigInt64(8, -1n, true) // of unknown length
  return block(BLOCK.section, new Uint8Array(fixed.buffer), NOTHING, [
    [OPTION.application, text(application)],
  ])
}

/** Interfaces are numbered from 0 in the order in which they are described. `snap`: bytes of a packet at most. */
export function interfaceBlock(name: string, description: string, snap: number): Uint8Array {
  const fixed = new DataView(new ArrayBuffer(8))
  fixed.setUint16(0, LINKTYPE_RAW, true)
  fixed.setUint32(4, snap, true)
  return block(BLOCK.interface, new Uint8Array(fixed.buffer), NOTHING, [
    [OPTION.name, text(name)],
    [OPTION.description, text(description)],
    [OPTION.timestampResolution, Uint8Array.of(NANOSECONDS)],
  ])
}

export interface PacketToWrite {
  readonly interface: number
  /** Nanoseconds since 1970. */
  readonly timestamp: bigint
  /** As much of it as is kept, of `length` bytes. */
  readonly bytes: Uint8Array
  readonly length: number
  readonly direction: 'inbound' | 'outbound'
  /** The same wherever the same packet is written. */
  readonly id: bigint
  /** Packets lost between the one before and this one. */
  readonly lost: number
  readonly comment: string
}

const DIRECTION = { inbound: 1, outbound: 2 } as const

export function packetBlock(packet: PacketToWrite): Uint8Array {
  const fixed = new DataView(new ArrayBuffer(20))
  fixed.setUint32(0, packet.interface, true)
  fixed.setUint32(4, Number(packet.timestamp >> 32n), true)
  fixed.setUint32(8, Number(packet.timestamp & 0xffff_ffffn), true)
  fixed.setUint32(12, packet.bytes.length, true)
  fixed.setUint32(16, packet.length, true)
  const lost: readonly Option[] = packet.lost > 0 ? [[OPTION.dropCount, word64(BigInt(packet.lost))]] : []
  return block(BLOCK.enhancedPacket, new Uint8Array(fixed.buffer), packet.bytes, [
    [OPTION.comment, text(packet.comment)],
    [OPTION.flags, word32(DIRECTION[packet.direction])],
    ...lost,
    [OPTION.packetId, word64(packet.id)],
  ])
}

/** What an interface has counted until then; a later one takes an earlier one's place. */
export function statisticsBlock(
  number: number,
  timestamp: bigint,
  received: number,
  dropped: number,
): Uint8Array {
  const fixed = new DataView(new ArrayBuffer(12))
  fixed.setUint32(0, number, true)
  fixed.setUint32(4, Number(timestamp >> 32n), true)
  fixed.setUint32(8, Number(timestamp & 0xffff_ffffn), true)
  return block(BLOCK.statistics, new Uint8Array(fixed.buffer), NOTHING, [
    [OPTION.received, word64(BigInt(received))],
    [OPTION.dropped, word64(BigInt(dropped))],
  ])
}
