import { load16 } from './bytes.ts'
import { ICMP, ICMP4, ICMP6, icmpProtocol } from './icmp.ts'
import { IPV4, IPV4_FRAGMENT_OFFSET, IPV4_MORE_FRAGMENTS } from './ipv4.ts'
import { followHeaders, type HeaderChain, IPV6, IPV6_NOTHING, isExtension } from './ipv6.ts'
import { type Packet, readAddress } from './packet.ts'
import { TCP } from './tcp.ts'
import { AUTHENTICATION } from './transport.ts'
import { UDP } from './udp.ts'

/** The packet that an ICMP error is about, as far as the error quotes it. */

/** So much of the transport header an error quotes at least (RFC 792), if the packet had it: TCP's and UDP's ports. */
const TRANSPORT_AT_LEAST = 8

/** A whole error that is about some packet: destination unreachable, too big, time exceeded, parameter problem. */
export const isIcmpError = ({ version, icmpType, isFragment }: Packet): boolean =>
  !isFragment && (version === 4 ? ICMP4 : ICMP6).errors.includes(icmpType)

/**
 * Reads what an error quotes; undefined when that is too short to tell where it went. `bytes` are those of the error
 * from the quoted header on, `length` what is there of the packet, however long that was. TCP's flags and numbers
 * are not read.
 */
export function parseQuoted(error: Packet): Packet | undefined {
  const bytes = error.bytes.subarray(error.transport + ICMP.headerLength, error.length)
  if (bytes.length < 1 || bytes[0]! >> 4 !== error.version) return undefined
  return error.version === 4 ? parseQuoted4(bytes) : parseQuoted6(bytes)
}

function parseQuoted4(bytes: Uint8Array): Packet | undefined {
  if (bytes.length < IPV4.minimumLength) return undefined
  const transport = (bytes[0]! & 0xf) * 4
  if (transport < IPV4.minimumLength) return undefined
  const length = Math.min(bytes.length, load16(bytes, IPV4.totalLength))
  const fragment = load16(bytes, IPV4.fragment)
  return parseTransport(bytes, 4, length, {
    protocol: bytes[IPV4.protocol]!,
    protocolAt: IPV4.protocol,
    transport,
    isFragment: (fragment & (IPV4_MORE_FRAGMENTS | IPV4_FRAGMENT_OFFSET)) !== 0,
    isLaterFragment: (fragment & IPV4_FRAGMENT_OFFSET) !== 0,
    identification: load16(bytes, IPV4.identification),
    isRouted: false,
  })
}

function parseQuoted6(bytes: Uint8Array): Packet | undefined {
  if (bytes.length < IPV6.length) return undefined
  const length = Math.min(bytes.length, IPV6.length + load16(bytes, IPV6.payloadLength))
  const chain = followHeaders(bytes, length)
  return chain && parseTransport(bytes, 6, length, chain)
}

function parseTransport(
  bytes: Uint8Array,
  version: 4 | 6,
  length: number,
  chain: HeaderChain,
): Packet | undefined {
  const { protocol, transport } = chain
  const endsOtherwise = version === 6 && (isExtension(protocol) || protocol === IPV6_NOTHING)
  const hasTransport = !(chain.isLaterFragment || protocol === AUTHENTICATION || endsOtherwise)
  const hasPorts = hasTransport && (protocol === TCP.protocol || protocol === UDP.protocol)
  const isIcmp = hasTransport && protocol === icmpProtocol(version)
  if (length < transport + (hasPorts || isIcmp ? TRANSPORT_AT_LEAST : 0)) return undefined
  const { source, destination } = version === 4 ? IPV4 : IPV6
  return {
    ...chain,
    bytes,
    version,
    length,
    source: readAddress(bytes, source, version === 4 ? 4 : 16),
    destination: readAddress(bytes, destination, version === 4 ? 4 : 16),
    hasTransport,
    sourcePort: hasPorts ? load16(bytes, transport + TCP.sourcePort) : 0,
    destinationPort: hasPorts ? load16(bytes, transport + TCP.destinationPort) : 0,
    tcpFlags: 0,
    sequence: 0,
    acknowledgment: 0,
    icmpType: isIcmp ? bytes[transport + ICMP.type]! : -1,
  }
}

/** The other way of the same flow: what answers the packet, or what it answers. Only to look up by. */
export const otherWay = (packet: Packet): Packet => ({
  ...packet,
  source: packet.destination,
  destination: packet.source,
  sourcePort: packet.destinationPort,
  destinationPort: packet.sourcePort,
})
