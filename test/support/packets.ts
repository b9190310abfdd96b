import { type Address, addressBytes, isAddress4 } from '../../src/address.ts'

/**
 * Packets from their interesting fields, and a judge of their checksums. Nothing here comes from src/packet: sums
 * are computed over all bytes, as RFC 1071 section 1 defines them.
 */
export interface PacketFields {
  readonly source: Address
  readonly destination: Address
  readonly protocol: number
  readonly sourcePort?: number
  readonly destinationPort?: number
  /** TCP. */
  readonly flags?: number
  readonly sequence?: number
  readonly acknowledgment?: number
  /** ICMP and ICMPv6: type and code. */
  readonly type?: number
  readonly code?: number
  readonly payload?: Uint8Array
  /** IPv4: bytes after the fixed header, a multiple of four. */
  readonly options?: Uint8Array
  /** IPv4: the flags and offset field. IPv6: the fragment header's offset and M, behind the other extension headers. */
  readonly fragment?: number
  readonly identification?: number
  /** IPv6: extension headers; each kind's bytes, a multiple of eight, in which the next header is filled in. */
  readonly extensions?: readonly (readonly [kind: number, bytes: Uint8Array])[]
  /** UDP: leave the checksum zero, "none computed". */
  readonly hasNoChecksum?: boolean
}

const TCP = 6
const UDP = 17
const ICMP = 1
const ICMP6 = 58
const ROUTING = 43
const FRAGMENT = 44
const EXTENSIONS = [0, ROUTING, FRAGMENT, 60]

export const SYN = 0x02
export const RST = 0x04
export const ACK = 0x10

export function buildPacket(fields: PacketFields): Uint8Array {
  const transport = buildTransport(fields)
  const packet = isAddress4(fields.source) ? buildIpv4(fields, transport) : buildIpv6(fields, transport)
  const at = isFirst(fields) ? checksumAt(packet) : undefined
  if (at !== undefined && !(fields.hasNoChecksum && fields.protocol === UDP)) writeTransportSum(packet, at)
  return packet
}

const isFirst = ({ source, fragment = 0 }: PacketFields): boolean =>
  (fragment & (isAddress4(source) ? 0x1fff : 0xfff8)) === 0

function buildTransport(fields: PacketFields): Uint8Array {
  const { protocol, payload = new Uint8Array(0) } = fields
  if (!isFirst(fields)) return payload
  const header = new DataView(new ArrayBuffer(headerBytes(protocol)))
  if (protocol === TCP || protocol === UDP) {
    header.setUint16(0, fields.sourcePort ?? 40_000)
    header.setUint16(2, fields.destinationPort ?? 80)
  }
  if (protocol === TCP) {
    header.setUint32(4, fields.sequence ?? 1)
    header.setUint32(8, fields.acknowledgment ?? 0)
    header.setUint8(12, 0x50)
    header.setUint8(13, fields.flags ?? SYN)
    header.setUint16(14, 0xffff)
  }
  if (protocol === UDP) header.setUint16(4, 8 + payload.length)
  if (protocol === ICMP || protocol === ICMP6) {
    header.setUint8(0, fields.type ?? (protocol === ICMP ? 8 : 128))
    header.setUint8(1, fields.code ?? 0)
    header.setUint32(4, 0x00070001)
  }
  return joined(new Uint8Array(header.buffer), payload)
}

function headerBytes(protocol: number): number {
  if (protocol === TCP) return 20
  return protocol === UDP || protocol === ICMP || protocol === ICMP6 ? 8 : 0
}

function buildIpv4(
  {
    source,
    destination,
    protocol,
    options = new Uint8Array(0),
    fragment = 0x4000,
    identification = 0x1234,
  }: PacketFields,
  transport: Uint8Array,
): Uint8Array {
  const header = new DataView(new ArrayBuffer(20))
  header.setUint8(0, 0x45 + options.length / 4)
  header.setUint16(2, 20 + options.length + transport.length)
  header.setUint16(4, identification)
  header.setUint16(6, fragment)
  header.setUint8(8, 63)
  header.setUint8(9, protocol)
  const packet = joined(new Uint8Array(header.buffer), options, transport)
  packet.set(addressBytes(source), 12)
  packet.set(addressBytes(destination), 16)
  new DataView(packet.buffer).setUint16(10, complement(wordSum(packet.subarray(0, 20 + options.length))))
  return packet
}

function buildIpv6(fields: PacketFields, transport: Uint8Array): Uint8Array {
  const { source, destination, protocol } = fields
  const extensions = extensionsOf(fields)
  const payload = joined(
    ...extensions.map(([, bytes], i) => {
      const chained = bytes.slice()
      chained[0] = extensions[i + 1]?.[0] ?? protocol
      return chained
    }),
    transport,
  )
  const header = new DataView(new ArrayBuffer(40))
  header.setUint8(0, 0x60)
  header.setUint16(4, payload.length)
  header.setUint8(6, extensions[0]?.[0] ?? protocol)
  header.setUint8(7, 63)
  const packet = joined(new Uint8Array(header.buffer), payload)
  packet.set(addressBytes(source), 8)
  packet.set(addressBytes(destination), 24)
  return packet
}

function extensionsOf({ extensions = [], fragment, identification = 0x1234 }: PacketFields) {
  if (fragment === undefined) return extensions
  const header = new DataView(new ArrayBuffer(8))
  header.setUint16(2, fragment)
  header.setUint32(4, identification)
  return [...extensions, [FRAGMENT, new Uint8Array(header.buffer)] as const]
}

function joined(...pieces: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(pieces))
}

/** Whether the IPv4 header's sum and a whole packet's transport sum are what they should be. */
export function hasRightSums(packet: Uint8Array): boolean {
  if (isVersion4(packet) && foldedSum(wordSum(packet.subarray(0, transportAt(packet)))) !== 0xffff)
    return false
  const at = checksumAt(packet)
  if (at === undefined || isFragment(packet)) return true
  if (protocolOf(packet) === UDP && load16(packet, at) === 0) return isVersion4(packet)
  return foldedSum(transportSum(packet)) === 0xffff
}

/** Recomputes both sums over all bytes. */
export function withRightSums(packet: Uint8Array): Uint8Array {
  const right = packet.slice()
  if (isVersion4(right)) {
    right.set([0, 0], 10)
    new DataView(right.buffer).setUint16(10, complement(wordSum(right.subarray(0, transportAt(right)))))
  }
  const at = checksumAt(right)
  if (at !== undefined) writeTransportSum(right, at)
  return right
}

/** The packet with source and destination exchanged, addresses and ports; sums stay right. */
export function exchanged(packet: Uint8Array): Uint8Array {
  const answer = packet.slice()
  const [at, length] = isVersion4(packet) ? [12, 4] : [8, 16]
  answer.set(packet.subarray(at + length, at + 2 * length), at)
  answer.set(packet.subarray(at, at + length), at + length)
  if (![TCP, UDP].includes(protocolOf(packet)) || isLaterFragment(packet)) return answer
  const ports = transportAt(packet)
  answer.set(packet.subarray(ports + 2, ports + 4), ports)
  answer.set(packet.subarray(ports, ports + 2), ports + 2)
  return answer
}

function writeTransportSum(packet: Uint8Array, at: number): void {
  const view = new DataView(packet.buffer, packet.byteOffset)
  view.setUint16(at, 0)
  const sum = complement(transportSum(packet))
  view.setUint16(at, sum === 0 && protocolOf(packet) === UDP ? 0xffff : sum)
}

/** Over pseudo header and segment; ICMP over IPv4 has no pseudo header. */
function transportSum(packet: Uint8Array): number {
  const start = transportAt(packet)
  const protocol = protocolOf(packet)
  const segment = packet.subarray(start)
  if (protocol === ICMP && isVersion4(packet)) return wordSum(segment)
  const addresses = isVersion4(packet) ? packet.subarray(12, 20) : packet.subarray(8, 40)
  return wordSum(addresses) + protocol + segment.length + wordSum(segment)
}

/** Undefined where the packet holds no such field: other protocols, later fragments, a cut-off header, another's. */
function checksumAt(packet: Uint8Array): number | undefined {
  const offset = (isVersion4(packet) ? CHECKSUM_OFFSETS4 : CHECKSUM_OFFSETS6).get(protocolOf(packet))
  if (offset === undefined || isLaterFragment(packet) || headersOf(packet).isRouted) return undefined
  const at = transportAt(packet) + offset
  return at + 2 > packet.length ? undefined : at
}

const CHECKSUM_OFFSETS4 = new Map([
  [TCP, 16],
  [UDP, 6],
  [ICMP, 2],
])
const CHECKSUM_OFFSETS6 = new Map([
  [TCP, 16],
  [UDP, 6],
  [ICMP6, 2],
])

const isVersion4 = (packet: Uint8Array): boolean => packet[0]! >> 4 === 4
const protocolOf = (packet: Uint8Array): number => headersOf(packet).protocol
const transportAt = (packet: Uint8Array): number => headersOf(packet).end
const isFragment = (packet: Uint8Array): boolean => headersOf(packet).fragment !== 0
const isLaterFragment = (packet: Uint8Array): boolean => (headersOf(packet).fragment & 0x1fff) !== 0

interface Headers {
  readonly protocol: number
  /** Where the upper-layer header starts. */
  readonly end: number
  /** As IPv4 has it: offset in units of eight bytes, and 0x2000 where more follow. */
  readonly fragment: number
  /** IPv6: a routing header has segments left, so that the checksum is somebody else's. */
  readonly isRouted: boolean
}

/** IPv4's header, or IPv6's and all extension headers, as far as they lie in the packet. */
export function headersOf(packet: Uint8Array): Headers {
  if (isVersion4(packet)) {
    const fragment = load16(packet, 6) & 0x3fff
    return { protocol: packet[9]!, end: (packet[0]! & 0xf) * 4, fragment, isRouted: false }
  }
  let [protocol, end, fragment, isRouted] = [packet[6]!, 40, 0, false]
  while (EXTENSIONS.includes(protocol) && end + 8 <= packet.length && (fragment & 0x1fff) === 0) {
    const field = load16(packet, end + 2)
    if (protocol === FRAGMENT) fragment = (field >> 3) | (field & 1 ? 0x2000 : 0)
    if (protocol === ROUTING && packet[end + 3] !== 0) isRouted = true
    const length = protocol === FRAGMENT ? 8 : 8 * (packet[end + 1]! + 1)
    protocol = packet[end]!
    end += length
  }
  return { protocol, end, fragment, isRouted }
}

const load16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!

function wordSum(bytes: Uint8Array): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at]! << 8) | (bytes[at + 1] ?? 0)
  return sum
}

function foldedSum(sum: number): number {
  return sum > 0xffff ? foldedSum((sum % 0x10000) + Math.floor(sum / 0x10000)) : sum
}

const complement = (sum: number): number => 0xffff - foldedSum(sum)
