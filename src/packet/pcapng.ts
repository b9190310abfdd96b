import { type ByteOrder, type ByteReader, malformed, read16, read32 } from './byte-reader.ts'
import { type CapturedFrame, takeFrame } from './pcap.ts'

/** Block types of draft-ietf-opsawg-pcapng. The section header's reads the same in both byte orders. */
const BLOCK = {
  section: 0x0a0d0d0a,
  interface: 1,
  obsoletePacket: 2,
  simplePacket: 3,
  enhancedPacket: 6,
} as const

const BYTE_ORDER_MAGIC = 0x1a2b3c4d

/** Type, length at the start, length again at the end. */
const BLOCK_FRAME_LENGTH = 12
const OPTION = { end: 0, timestampResolution: 9, timestampOffset: 14 } as const

/** Options are few and short; what lies beyond this much of them is not looked at. */
const LONGEST_OPTIONS = 65_536

export const isPcapng = (magic: Uint8Array): boolean => read32(magic, 0, 'big') === BLOCK.section

interface Block {
  readonly type: number
  readonly offset: number
  /** Bytes between the length at the start and the one at the end. */
  readonly bodyLength: number
}

interface Interface {
  readonly linkType: number
  /** 0: no limit. */
  readonly snapLength: number
  readonly isFiner: boolean
  /** Nanoseconds since 1970 of a 64-bit timestamp in this interface's unit. */
  readonly nanoseconds: (ticks: bigint) => bigint
}

/** What a section header begins: interfaces are numbered anew, and the byte order may change. */
interface Section {
  readonly order: ByteOrder
  readonly interfaces: Interface[]
}

/** Reads a pcapng file of which the first four bytes (a section header's type) have been taken already. */
export function* readPcapng(reader: ByteReader): Generator<CapturedFrame> {
  let section = readSection(reader, 0)
  let timestamp = 0n
  while (!reader.isAtEnd()) {
    const { offset } = reader
    const type = read32(reader.take(4, 'a block header'), 0, section.order)
    if (type === BLOCK.section) {
      section = readSection(reader, offset)
      continue
    }
    const block = { type, offset, bodyLength: readBodyLength(reader, section.order, offset) }
    const end = reader.offset + block.bodyLength
    const frame = readBlock(reader, block, section, timestamp)
    if (frame !== undefined) {
      timestamp = frame.timestamp
      yield frame
    }
    if (reader.offset > end) throw malformed(offset, 'a block too short for what it holds')
    reader.skip(end - reader.offset, 'a block')
    checkTrailer(reader, block, section.order)
  }
}

function readSection(reader: ByteReader, offset: number): Section {
  const start = reader.take(8, 'a section header')
  const order = (['little', 'big'] as const).find((each) => read32(start, 4, each) === BYTE_ORDER_MAGIC)
  if (order === undefined) throw malformed(offset + 8, 'a section header without its byte-order magic')
  const bodyLength = bodyLengthOf(read32(start, 0, order), offset)
  const major = read16(reader.take(4, 'a section header'), 0, order)
  if (major !== 1) throw malformed(offset + 12, `pcapng version ${major}; expected 1`)
  if (bodyLength < 16) throw malformed(offset, 'a section header too short for its fields')
  reader.skip(bodyLength - 8, 'a section header')
  checkTrailer(reader, { type: BLOCK.section, offset, bodyLength }, order)
  return { order, interfaces: [] }
}

const readBodyLength = (reader: ByteReader, order: ByteOrder, offset: number): number =>
  bodyLengthOf(read32(reader.take(4, 'a block header'), 0, order), offset)

function bodyLengthOf(totalLength: number, offset: number): number {
  if (totalLength < BLOCK_FRAME_LENGTH || totalLength % 4 !== 0)
    throw malformed(offset + 4, `a block of ${totalLength} bytes; expected a multiple of 4 from 12 on`)
  return totalLength - BLOCK_FRAME_LENGTH
}

function checkTrailer(reader: ByteReader, { offset, bodyLength }: Block, order: ByteOrder): void {
  const trailer = read32(reader.take(4, "a block's end"), 0, order)
  const length = bodyLength + BLOCK_FRAME_LENGTH
  if (trailer !== length)
    throw malformed(
      reader.offset - 4,
      `a block of ${length} bytes (from byte ${offset}) ends as one of ${trailer}`,
    )
}

/** Reads as much of the block as is of use; the rest of it is skipped by the caller. */
function readBlock(
  reader: ByteReader,
  block: Block,
  section: Section,
  last: bigint,
): CapturedFrame | undefined {
  switch (block.type) {
    case BLOCK.interface:
      section.interfaces.push(readInterface(reader, block, section.order))
      return undefined
    case BLOCK.enhancedPacket:
      return readEnhancedPacket(reader, block, section)
    case BLOCK.obsoletePacket:
      return readObsoletePacket(reader, block, section)
    case BLOCK.simplePacket:
      return readSimplePacket(reader, block, section, last)
    default:
      return undefined
  }
}

function readInterface(reader: ByteReader, block: Block, order: ByteOrder): Interface {
  const fields = takeFields(reader, block, 8)
  const linkType = read16(fields, 0, order)
  const snapLength = read32(fields, 4, order)
  const optionsLength = Math.min(block.bodyLength - 8, LONGEST_OPTIONS)
  const options = reader.take(optionsLength, 'an interface block')
  const resolution = findOption(options, OPTION.timestampResolution, 1, order)?.[0] ?? 6
  const offset = findOption(options, OPTION.timestampOffset, 8, order)
  const offsetSeconds = offset === undefined ? 0n : BigInt.asIntN(64, read64(offset, order))
  return { linkType, snapLength, ...clockOf(resolution, offsetSeconds) }
}

function takeFields(reader: ByteReader, block: Block, length: number): Uint8Array {
  if (block.bodyLength < length) throw malformed(block.offset, 'a block too short for its fields')
  return reader.take(length, 'a block')
}

const read64 = (bytes: Uint8Array, order: ByteOrder): bigint => {
  const [high, low] = order === 'little' ? [4, 0] : [0, 4]
  return (BigInt(read32(bytes, high, order)) << 32n) | BigInt(read32(bytes, low, order))
}

/** Options are a code, a length and a value padded to four bytes. */
function findOption(
  options: Uint8Array,
  code: number,
  length: number,
  order: ByteOrder,
): Uint8Array | undefined {
  let at = 0
  while (at + 4 <= options.length) {
    const found = read16(options, at, order)
    const foundLength = read16(options, at + 2, order)
    if (found === OPTION.end) return undefined
    const value = options.subarray(at + 4, at + 4 + foundLength)
    if (found === code && foundLength === length && value.length === length) return value
    at += 4 + ((foundLength + 3) & ~3)
  }
  return undefined
}

/** if_tsresol: powers of ten, or of two when the highest bit is set. */
function clockOf(resolution: number, offsetSeconds: bigint): Pick<Interface, 'isFiner' | 'nanoseconds'> {
  const exponent = resolution & 0x7f
  const offset = offsetSeconds * 1_000_000_000n
  if (resolution & 0x80) {
    const shift = BigInt(exponent)
    return {
      isFiner: 2 ** exponent > 1_000_000,
      nanoseconds: (ticks) => ((ticks * 1_000_000_000n) >> shift) + offset,
    }
  }
  const isFiner = exponent > 6
  if (exponent > 9) {
    const divisor = 10n ** BigInt(exponent - 9)
    return { isFiner, nanoseconds: (ticks) => ticks / divisor + offset }
  }
  const factor = 10n ** BigInt(9 - exponent)
  return { isFiner, nanoseconds: (ticks) => ticks * factor + offset }
}

function readEnhancedPacket(reader: ByteReader, block: Block, section: Section): CapturedFrame {
  const fields = takeFields(reader, block, 20)
  return readPacket(reader, block, section, fields, read32(fields, 0, section.order))
}

/** The same fields, but a short interface number and a count of drops where the other has a long one. */
function readObsoletePacket(reader: ByteReader, block: Block, section: Section): CapturedFrame {
  const fields = takeFields(reader, block, 20)
  return readPacket(reader, block, section, fields, read16(fields, 0, section.order))
}

function readPacket(
  reader: ByteReader,
  block: Block,
  { order, interfaces }: Section,
  fields: Uint8Array,
  number: number,
): CapturedFrame {
  const from = interfaces[number]
  if (from === undefined)
    throw malformed(
      block.offset,
      `a packet of interface ${number}; ${interfaces.length} are described before it`,
    )
  const ticks = (BigInt(read32(fields, 4, order)) << 32n) | BigInt(read32(fields, 8, order))
  const capturedLength = read32(fields, 12, order)
  const originalLength = read32(fields, 16, order)
  if (capturedLength > block.bodyLength - 20) throw malformed(block.offset, 'a packet longer than its block')
  const frame = takeFrame(reader, capturedLength, block.offset)
  return frameOf(from, from.nanoseconds(ticks), frame, originalLength, block)
}

/** No time of its own: it gets that of the packet before it, so that time never runs backwards. */
function readSimplePacket(
  reader: ByteReader,
  block: Block,
  { order, interfaces }: Section,
  last: bigint,
): CapturedFrame {
  const from = interfaces[0]
  if (from === undefined) throw malformed(block.offset, 'a packet before any interface is described')
  const originalLength = read32(takeFields(reader, block, 4), 0, order)
  const limit = from.snapLength === 0 ? originalLength : Math.min(originalLength, from.snapLength)
  const frame = takeFrame(reader, Math.min(limit, block.bodyLength - 4), block.offset)
  return frameOf(from, last, frame, originalLength, block)
}

const frameOf = (
  { linkType, isFiner }: Interface,
  timestamp: bigint,
  frame: Uint8Array,
  originalLength: number,
  { offset }: Block,
): CapturedFrame => ({ timestamp, frame, linkType, originalLength, isFiner, offset })
