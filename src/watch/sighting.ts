import { REASONS, type Reason, type Verdict } from '../pipeline/verdict.ts'

/** A packet as it was seen on its way: native/src/watch/sighting.h lays it out. */
export interface Sighting {
  readonly verdict: Verdict
  readonly reason: Reason
  /** Ids; 0: none. */
  readonly service: number
  readonly container: number
  readonly left: 'nowhere' | 'bridge' | 'tun'
  /** Of the write: errno; 0: it went well. */
  readonly error: number
  /** When it was read: nanoseconds since 1970; when it was decided and written: nanoseconds after that. */
  readonly readNs: bigint
  readonly decidedNs: number
  readonly writtenNs: number
  /** Bytes of payload in each of the packets that a device makes of it; 0: it is one packet. */
  readonly segment: number
  /** Packets that were to be seen, since the one before it, and found no room. */
  readonly lost: number
  readonly arrived: Seen
  /** Undefined: nothing left. */
  readonly departed: Seen | undefined
}

export interface Seen {
  /** As much as is kept of `length` bytes. */
  readonly bytes: Uint8Array
  readonly length: number
  /** Its checksum is a pseudo header's sum, for a device to finish. */
  readonly isPartial: boolean
}

const HEADER_BYTES = 56
const LEFT = ['nowhere', 'bridge', 'tun'] as const

/** Their bytes are parts of `records`. */
export function decodeSightings(records: Uint8Array): readonly Sighting[] {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength)
  const sightings: Sighting[] = []
  for (let at = 0; at < records.length; at += view.getUint32(at, true))
    sightings.push(decodeSighting(view, records, at))
  return sightings
}

function decodeSighting(view: DataView, records: Uint8Array, at: number): Sighting {
  const word = (offset: number) => view.getUint32(at + offset, true)
  const [verdict, reason] = REASONS[view.getUint8(at + 4)]!
  const partial = view.getUint8(at + 6)
  const [arrivedKept, leftKept] = [word(40), word(44)]
  const start = at + HEADER_BYTES
  const departed = {
    bytes: records.subarray(start + arrivedKept, start + arrivedKept + leftKept),
    length: word(36),
    isPartial: (partial & 2) !== 0,
  }
  return {
    verdict,
    reason,
    service: word(8),
    container: word(12),
    left: LEFT[view.getUint8(at + 5)]!,
    error: view.getUint8(at + 7),
    readNs: view.getBigUint64(at + 16, true),
    decidedNs: word(24),
    writtenNs: word(28),
    segment: word(48),
    lost: word(52),
    arrived: {
      bytes: records.subarray(start, start + arrivedKept),
      length: word(32),
      isPartial: (partial & 1) !== 0,
    },
    departed: departed.length > 0 ? departed : undefined,
  }
}
