import { type ByteOrder, type ByteReader, malformed, read16, read32 } from './byte-reader.ts'
import { LINKTYPE_RAW } from './linktype.ts'

/** A frame as a capture file has it; its bytes are valid until the next one. */
export interface CapturedFrame {
  readonly timestamp: bigint
  readonly frame: Uint8Array
  readonly linkType: number
  readonly originalLength: number
  /** Its clock ticks faster than once a microsecond. */
  readonly isFiner: boolean
  /** Where in the file the frame's header starts. */
  readonly offset: number
}

/** Magic numbers of draft-ietf-opsawg-pcap: microseconds and nanoseconds. */
const MAGIC_US = 0xa1b2c3d4
const MAGIC_NS = 0xa1b23c4d

const FILE_HEADER_LENGTH = 24
const RECORD_HEADER_LENGTH = 16

/** libpcap's MAXIMUM_SNAPLEN: no writer makes longer frames, so a longer one means a damaged file. */
const LONGEST_FRAME = 262_144

const NANOSECONDS = 1_000_000_000n

interface PcapFormat {
  readonly order: ByteOrder
  readonly isFiner: boolean
}

export const isPcap = (magic: Uint8Array): boolean => formatOf(magic) !== undefined

function formatOf(magic: Uint8Array): PcapFormat | undefined {
  for (const order of ['little', 'big'] as const) {
    const value = read32(magic, 0, order)
    if (value === MAGIC_US || value === MAGIC_NS) return { order, isFiner: value === MAGIC_NS }
  }
  return undefined
}

/** Reads a classic pcap file whose magic number has been taken already. */
export function* readPcap(reader: ByteReader, magic: Uint8Array): Generator<CapturedFrame> {
  const { order, isFiner } = formatOf(magic)!
  const header = reader.take(FILE_HEADER_LENGTH - 4, 'the file header')
  const major = read16(header, 0, order)
  if (major !== 2) throw malformed(4, `pcap version ${major}; expected 2`)
  // The upper half says whether frames end in a check sequence, which withoutPadding() drops anyway.
  const linkType = read32(header, 16, order) & 0xffff
  const unit = isFiner ? 1n : 1000n
  while (!reader.isAtEnd()) {
    const { offset } = reader
    const record = reader.take(RECORD_HEADER_LENGTH, 'a packet header')
    const timestamp = BigInt(read32(record, 0, order)) * NANOSECONDS + BigInt(read32(record, 4, order)) * unit
    const capturedLength = read32(record, 8, order)
    const originalLength = read32(record, 12, order)
    const frame = takeFrame(reader, capturedLength, offset)
    yield { timestamp, frame, linkType, originalLength, isFiner, offset }
  }
}

export function takeFrame(reader: ByteReader, length: number, offset: number): Uint8Array {
  if (length > LONGEST_FRAME)
    throw malformed(offset, `a packet of ${length} bytes; expected at most ${LONGEST_FRAME}`)
  return reader.take(length, 'a packet')
}

export type TimeUnit = 'us' | 'ns'

/** The header of a little-endian pcap file of raw IP packets. */
export function pcapFileHeader(unit: TimeUnit): Uint8Array {
  const view = new DataView(new ArrayBuffer(FILE_HEADER_LENGTH))
  view.setUint32(0, unit === 'ns' ? MAGIC_NS : MAGIC_US, true)
  view.setUint16(4, 2, true)
  view.setUint16(6, 4, true)
  view.setUint32(16, LONGEST_FRAME, true)
  view.setUint32(20, LINKTYPE_RAW, true)
  return new Uint8Array(view.buffer)
}

const LAST_SECOND = 0xffff_ffffn

/** Bytes of a packet with the header that comes before it. */
export const pcapRecordLength = (packet: Uint8Array): number => RECORD_HEADER_LENGTH + packet.length

/**
 * Writes a packet with its header to the start of `record`, which is at least pcapRecordLength long. Times outside
 * 1970–2106 do not fit the format and are bent to its ends.
 */
export function writePcapRecord(
  record: Uint8Array,
  packet: Uint8Array,
  timestamp: bigint,
  unit: TimeUnit,
): void {
  const fits = timestamp < 0n ? 0n : timestamp
  const seconds = fits / NANOSECONDS
  const fraction = Number(fits - seconds * NANOSECONDS)
  write32(record, 0, Number(seconds > LAST_SECOND ? LAST_SECOND : seconds))
  write32(record, 4, unit === 'ns' ? fraction : Math.floor(fraction / 1000))
  write32(record, 8, packet.length)
  write32(record, 12, packet.length)
  record.set(packet, RECORD_HEADER_LENGTH)
}

function write32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value
  bytes[at + 1] = value >>> 8
  bytes[at + 2] = value >>> 16
  bytes[at + 3] = value >>> 24
}
