/** A packet's fragments as its sender makes them: RFC 791 section 3.2, RFC 8200 section 4.5. Nothing here is of src/. */

const FRAGMENT = 44
const [UNIT, IPV6_HEADER] = [8, 40]

/**
 * Cut behind every `pieceBytes` of payload, a multiple of eight. IPv4: the header with its options in all of them. IPv6:
 * the packet must have no extension headers that belong in front of the fragment header. One piece: no fragment at all.
 */
export function fragmentsOf(packet: Uint8Array, pieceBytes: number, identification: number): Uint8Array[] {
  const is4 = packet[0]! >> 4 === 4
  const start = is4 ? (packet[0]! & 0xf) * 4 : IPV6_HEADER
  if (packet.length - start <= pieceBytes) return [packet]
  const pieces: Uint8Array[] = []
  for (let at = start; at < packet.length; at += pieceBytes) {
    const payload = packet.subarray(at, at + pieceBytes)
    const isLast = at + pieceBytes >= packet.length
    const header = packet.subarray(0, start)
    const build = is4 ? fragment4 : fragment6
    pieces.push(build({ header, payload, offset: at - start, isLast, identification }))
  }
  return pieces
}

interface Piece {
  readonly header: Uint8Array
  readonly payload: Uint8Array
  readonly offset: number
  readonly isLast: boolean
  readonly identification: number
}

function fragment4({ header, payload, offset, isLast, identification }: Piece): Uint8Array {
  const fragment = new Uint8Array(Buffer.concat([header, payload]))
  const view = new DataView(fragment.buffer)
  view.setUint16(2, fragment.length)
  view.setUint16(4, identification)
  view.setUint16(6, (isLast ? 0 : 0x2000) | (offset / UNIT))
  view.setUint16(10, 0)
  let sum = 0
  for (let at = 0; at < header.length; at += 2) sum += view.getUint16(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  view.setUint16(10, 0xffff - sum)
  return fragment
}

function fragment6({ header, payload, offset, isLast, identification }: Piece): Uint8Array {
  const fragment = new Uint8Array(Buffer.concat([header, new Uint8Array(UNIT), payload]))
  const view = new DataView(fragment.buffer)
  view.setUint16(4, UNIT + payload.length)
  fragment[IPV6_HEADER] = header[6]!
  fragment[6] = FRAGMENT
  view.setUint16(IPV6_HEADER + 2, offset | (isLast ? 0 : 1))
  view.setUint32(IPV6_HEADER + 4, identification)
  return fragment
}

/** What its receiver puts together again, whatever the order; undefined when a part is missing. */
export function reassembled(fragments: readonly Uint8Array[]): Uint8Array | undefined {
  const pieces = fragments.map(pieceOf).sort((a, b) => a.offset - b.offset)
  const payload: Uint8Array[] = []
  let end = 0
  for (const { offset, bytes } of pieces) {
    if (offset !== end) return undefined
    payload.push(bytes)
    end += bytes.length
  }
  return pieces.at(-1)?.isLast === true ? new Uint8Array(Buffer.concat(payload)) : undefined
}

function pieceOf(fragment: Uint8Array): { offset: number; isLast: boolean; bytes: Uint8Array } {
  const view = new DataView(fragment.buffer, fragment.byteOffset)
  if (fragment[0]! >> 4 === 4) {
    const field = view.getUint16(6)
    const bytes = fragment.subarray((fragment[0]! & 0xf) * 4)
    return { offset: (field & 0x1fff) * UNIT, isLast: (field & 0x2000) === 0, bytes }
  }
  const field = view.getUint16(IPV6_HEADER + 2)
  return { offset: field & 0xfff8, isLast: (field & 1) === 0, bytes: fragment.subarray(IPV6_HEADER + UNIT) }
}
