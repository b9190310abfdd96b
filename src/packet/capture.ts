import { ByteReader, malformed } from './byte-reader.ts'
import { decapsulatorOf } from './linktype.ts'
import { type CapturedFrame, isPcap, readPcap } from './pcap.ts'
import { isPcapng, readPcapng } from './pcapng.ts'

/**
 * Capture files, pcap and pcapng, read as a stream.
 *
 * | read | not read |
 * | --- | --- |
 * | pcap, both byte orders, µs and ns | patched pcap variants with other record headers |
 * | pcapng: several sections and interfaces; enhanced, simple and obsolete packet blocks | names, comments, statistics |
 * | raw IP, Ethernet with up to two VLAN tags, NULL, LOOP, Linux cooked 1 and 2 | other link types: an error |
 */
export interface CapturedPacket {
  /** Nanoseconds since 1970. */
  readonly timestamp: bigint
  /** The IP packet without link header and padding, valid until the next one; undefined: a frame without one. */
  readonly packet: Uint8Array | undefined
  /** Bytes of the frame in the file and on the wire; fewer in the file when the capture cut it short. */
  readonly capturedLength: number
  readonly originalLength: number
}

/**
 * Reads a capture to its end. Throws E_INPUT with the byte where the file stops being one; everything before
 * has been yielded by then. A chunk is done with when the next one is asked for.
 */
export function* readCapture(chunks: Iterable<Uint8Array>): Generator<CapturedPacket> {
  for (const { timestamp, frame, linkType, originalLength, offset } of readFrames(chunks)) {
    const decapsulate = decapsulatorOf(linkType)
    if (decapsulate === undefined) throw malformed(offset, `link type ${linkType} is not supported`)
    yield { timestamp, packet: decapsulate(frame), capturedLength: frame.length, originalLength }
  }
}

/** Whether a clock of the capture ticks faster than once a microsecond; may read to the end to know. */
export function isFinerThanMicroseconds(chunks: Iterable<Uint8Array>): boolean {
  for (const { isFiner } of readFrames(chunks)) if (isFiner) return true
  return false
}

function* readFrames(chunks: Iterable<Uint8Array>): Generator<CapturedFrame> {
  const reader = new ByteReader(chunks)
  const magic = reader.take(4, 'its magic number').slice()
  if (isPcapng(magic)) yield* readPcapng(reader)
  else if (isPcap(magic)) yield* readPcap(reader, magic)
  else throw malformed(0, `not a pcap or pcapng file: it starts with ${Array.from(magic, hex).join(' ')}`)
}

const hex = (byte: number): string => byte.toString(16).padStart(2, '0')
