import type { Address } from '../address.ts'
import { load16, load32 } from './bytes.ts'
import { ICMP, ICMP4, ICMP6, icmpProtocol } from './icmp.ts'
import { IPV4, IPV4_FRAGMENT_OFFSET, IPV4_MORE_FRAGMENTS } from './ipv4.ts'
import { followHeaders, IPV6, IPV6_NOTHING, isExtension, isJumbogram } from './ipv6.ts'
import { TCP } from './tcp.ts'
import { AUTHENTICATION, startsWithinHeader } from './transport.ts'
import { UDP } from './udp.ts'

/** An IP packet whose lengths have been checked: every field below lies inside the bytes it was read from. */
export interface Packet {
  readonly bytes: Uint8Array
  readonly version: 4 | 6
  /** Bytes of the whole packet by its IP header; whatever follows is link-layer padding. */
  readonly length: number
  /** IPv6: what follows the extension headers; one of those where they could not be followed (ipv6.ts, HeaderChain). */
  readonly protocol: number
  /** Where the field is that names it. */
  readonly protocolAt: number
  readonly source: Address
  readonly destination: Address
  /** Where the transport header starts. */
  readonly transport: number
  /** A part of a larger packet; a whole one with a fragment header (RFC 6946) is none. */
  readonly isFragment: boolean
  /** A fragment but the first: nothing of the transport header is in it. */
  readonly isLaterFragment: boolean
  /** Of fragments: what the parts of one packet have in common; 0 in IPv6 without a fragment header. */
  readonly identification: number
  /**
   * IPv6: a routing header has segments left. The destination is a stop on the way: the checksum counts, and the
   * destination port belongs to, the last one (RFC 8200 section 8.1).
   */
  readonly isRouted: boolean
  /** False in later fragments, and where the headers end otherwise than with a transport header. */
  readonly hasTransport: boolean
  /** TCP and UDP with `hasTransport`; 0 otherwise. */
  readonly sourcePort: number
  readonly destinationPort: number
  /** TCP with `hasTransport`; 0 otherwise. */
  readonly tcpFlags: number
  readonly sequence: number
  readonly acknowledgment: number
  /** ICMP and ICMPv6 with `hasTransport`; -1 otherwise. */
  readonly icmpType: number
}

export const isIcmp = (packet: Packet): boolean => packet.protocol === icmpProtocol(packet.version)

export const isEchoRequest = ({ version, icmpType }: Packet): boolean =>
  icmpType === (version === 4 ? ICMP4 : ICMP6).echoRequest

export const isEchoReply = ({ version, icmpType }: Packet): boolean =>
  icmpType === (version === 4 ? ICMP4 : ICMP6).echoReply

/** Behind an authentication header: no new address can be written without the key. */
export const isAuthenticated = ({ protocol }: Packet): boolean => protocol === AUTHENTICATION

/** False where an extension header hides the checksum that a new address would have to change. */
export const isRewritable = ({ version, protocol, isLaterFragment }: Packet): boolean =>
  protocol !== AUTHENTICATION && (version === 4 || isLaterFragment || !isExtension(protocol))

/** UDP over IPv6 without a checksum, which no receiver takes (RFC 8200 section 8.1). */
export const lacksChecksum = ({ bytes, version, protocol, hasTransport, transport }: Packet): boolean =>
  version === 6 && protocol === UDP.protocol && hasTransport && load16(bytes, transport + UDP.checksum) === 0

/** Why bytes are no packet; each is a reason of `drop` (pipeline/verdict.ts). */
export type Malformed =
  | 'short-packet'
  | 'bad-version'
  | 'bad-header-length'
  | 'bad-total-length'
  | 'jumbogram'
  | 'short-transport'

/** Reads an IPv4 or IPv6 packet. Never throws and never reads past `bytes`. */
export function parsePacket(bytes: Uint8Array): Packet | Malformed {
  if (bytes.length < 1) return 'short-packet'
  const version = bytes[0]! >> 4
  if (version === 4) return parseIpv4(bytes)
  if (version === 6) return parseIpv6(bytes)
  return 'bad-version'
}

type NetworkLayer = Pick<
  Packet,
  | 'bytes'
  | 'version'
  | 'length'
  | 'protocol'
  | 'protocolAt'
  | 'source'
  | 'destination'
  | 'transport'
  | 'isFragment'
  | 'isLaterFragment'
  | 'identification'
  | 'isRouted'
>

function parseIpv4(bytes: Uint8Array): Packet | Malformed {
  if (bytes.length < IPV4.minimumLength) return 'short-packet'
  const headerLength = (bytes[0]! & 0xf) * 4
  const length = load16(bytes, IPV4.totalLength)
  if (length > bytes.length || length < IPV4.minimumLength) return 'bad-total-length'
  if (headerLength < IPV4.minimumLength || headerLength > length) return 'bad-header-length'
  const fragment = load16(bytes, IPV4.fragment)
  if (startsWithinHeader(bytes[IPV4.protocol]!, (fragment & IPV4_FRAGMENT_OFFSET) * 8))
    return 'short-transport'
  return parseTransport({
    bytes,
    version: 4,
    length,
    protocol: bytes[IPV4.protocol]!,
    protocolAt: IPV4.protocol,
    source: readAddress(bytes, IPV4.source, 4),
    destination: readAddress(bytes, IPV4.destination, 4),
    transport: headerLength,
    isFragment: (fragment & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)) !== 0,
    isLaterFragment: (fragment & IPV4_FRAGMENT_OFFSET) !== 0,
    identification: load16(bytes, IPV4.identification),
    isRouted: false,
  })
}

function parseIpv6(bytes: Uint8Array): Packet | Malformed {
  if (bytes.length < IPV6.length) return 'short-packet'
  if (isJumbogram(bytes)) return 'jumbogram'
  const length = IPV6.length + load16(bytes, IPV6.payloadLength)
  if (length > bytes.length) return 'bad-total-length'
  const chain = followHeaders(bytes, length)
  if (chain === undefined) return 'short-transport'
  return parseTransport({
    bytes,
    version: 6,
    length,
    source: readAddress(bytes, IPV6.source, 16),
    destination: readAddress(bytes, IPV6.destination, 16),
    ...chain,
  })
}

/** Whether the protocol's own header is where the headers before it end. */
function startsTransport({ version, protocol, isLaterFragment }: NetworkLayer): boolean {
  if (isLaterFragment || protocol === AUTHENTICATION) return false
  return version === 4 || !(isExtension(protocol) || protocol === IPV6_NOTHING)
}

/** Decodes once, in one literal: this is where most of the time of reading a packet goes. */
function parseTransport(network: NetworkLayer): Packet | Malformed {
  const { bytes, transport, protocol } = network
  const hasTransport = startsTransport(network)
  const isTcp = hasTransport && protocol === TCP.protocol
  const isUdp = hasTransport && protocol === UDP.protocol
  const isIcmp = hasTransport && protocol === icmpProtocol(network.version)
  const needed = isTcp ? TCP.minimumLength : isUdp ? UDP.headerLength : isIcmp ? ICMP.headerLength : 0
  if (network.length - transport < needed) return 'short-transport'
  return {
    bytes,
    version: network.version,
    length: network.length,
    protocol,
    protocolAt: network.protocolAt,
    source: network.source,
    destination: network.destination,
    transport,
    isFragment: network.isFragment,
    isLaterFragment: network.isLaterFragment,
    identification: network.identification,
    isRouted: network.isRouted,
    hasTransport,
    sourcePort: isTcp || isUdp ? load16(bytes, transport + TCP.sourcePort) : 0,
    destinationPort: isTcp || isUdp ? load16(bytes, transport + TCP.destinationPort) : 0,
    tcpFlags: isTcp ? bytes[transport + TCP.flags]! : 0,
    sequence: isTcp ? load32(bytes, transport + TCP.sequence) : 0,
    acknowledgment: isTcp ? load32(bytes, transport + TCP.acknowledgment) : 0,
    icmpType: isIcmp ? bytes[transport + ICMP.type]! : -1,
  }
}

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))

/** The `length` bytes at `at` as an Address. */
export function readAddress(bytes: Uint8Array, at: number, length: 4 | 16): Address {
  let text = ''
  for (let i = at; i < at + length; i++) text += HEX[bytes[i]!]!
  return text as Address
}
