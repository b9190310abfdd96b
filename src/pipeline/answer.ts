import { load16, load32, store16, store32 } from '../packet/bytes.ts'
import { checksumOf, fold, pseudoHeaderSum, sumOf, updateChecksum, wordDelta } from '../packet/checksum.ts'
import { ICMP, ICMP4, ICMP6, icmpProtocol } from '../packet/icmp.ts'
import { IPV4, IPV4_DONT_FRAGMENT } from '../packet/ipv4.ts'
import { IPV6 } from '../packet/ipv6.ts'
import type { Offload } from '../packet/offload.ts'
import type { Packet } from '../packet/packet.ts'
import { TCP, TCP_ACK, TCP_FIN, TCP_RST, TCP_SYN } from '../packet/tcp.ts'
import { UDP } from '../packet/udp.ts'

/** What onehop itself sends back to a client, from the public address that was asked. */

const TIME_TO_LIVE = 64
/** Precedence of ICMP errors over IPv4 (RFC 1812 section 4.3.2.5): internetwork control. */
const INTERNETWORK_CONTROL = 0xc0
/** An error fits into this: RFC 1812 section 4.3.2.3 and RFC 4443 section 2.4 (c). */
const ERROR_AT_MOST = { 4: 576, 6: 1280 } as const

/**
 * An echo request answered in place of the container: the same bytes with the ends exchanged, and the request's type of
 * service (RFC 1812 section 4.3.2.5). The reply's checksum is complete, even if the request's was partial.
 */
export function echoReply(packet: Packet, isPartial: boolean): Uint8Array {
  const { bytes, version, transport, length } = packet
  const reply = ipHeader(packet, length - transport, packet.protocol, typeOfServiceOf(packet))
  const start = headerLength(version)
  reply.set(bytes.subarray(transport, length), start)
  const before = load16(reply, start)
  reply[start] = version === 4 ? ICMP4.echoReply : ICMP6.echoReply
  const checksumAt = start + ICMP.checksum
  if (isPartial) {
    store16(reply, checksumAt, 0)
    return withTransportChecksum(reply, version, packet.protocol, ICMP.checksum)
  }
  // The pseudo header's sum stays the same when source and destination change places.
  store16(
    reply,
    checksumAt,
    updateChecksum(load16(reply, checksumAt), wordDelta(before, load16(reply, start))),
  )
  return reply
}

/**
 * Whether onehop may answer that nobody takes a packet: never a reset (RFC 9293 section 3.10.7.1), a part of a packet,
 * what only stops here on its way, or what arrived damaged, for its port may be any other's (RFC 1122 section 4.1.3.4,
 * RFC 9293 section 3.1). A packet with a partial checksum has not travelled yet, so nothing can have damaged it.
 */
export function isAnswerable(packet: Packet, { needsChecksum }: Offload): boolean {
  if (packet.isFragment || packet.isRouted || !packet.hasTransport || packet.tcpFlags & TCP_RST) return false
  return needsChecksum || isIntact(packet)
}

/** Of TCP and UDP; other protocols' checksums are not looked at. */
function isIntact(packet: Packet): boolean {
  const { bytes, protocol, transport, length } = packet
  if (protocol === TCP.protocol) return isSumRight(packet, length - transport)
  if (protocol !== UDP.protocol) return true
  const datagramLength = load16(bytes, transport + UDP.length)
  if (datagramLength < UDP.headerLength || datagramLength > length - transport) return false
  return load16(bytes, transport + UDP.checksum) === 0 || isSumRight(packet, datagramLength)
}

function isSumRight({ bytes, version, protocol, transport }: Packet, transportLength: number): boolean {
  const pseudo = pseudoHeaderSum(addressesOf(bytes, version), protocol, transportLength)
  return fold(pseudo + sumOf(bytes, transport, transport + transportLength)) === 0xffff
}

/** Source and destination, as they stand in a header. */
const addressesOf = (bytes: Uint8Array, version: 4 | 6): Uint8Array =>
  version === 4 ? bytes.subarray(IPV4.source, IPV4.minimumLength) : bytes.subarray(IPV6.source, IPV6.length)

/** A reset as RFC 9293 section 3.10.7.1 wants it for a port nobody listens on. */
export function tcpReset(packet: Packet): Uint8Array {
  const { bytes, transport } = packet
  const start = headerLength(packet.version)
  const reset = ipHeader(packet, TCP.minimumLength, TCP.protocol, 0)
  const isAcknowledging = (packet.tcpFlags & TCP_ACK) !== 0
  store16(reset, start + TCP.sourcePort, packet.destinationPort)
  store16(reset, start + TCP.destinationPort, packet.sourcePort)
  store32(reset, start + TCP.sequence, isAcknowledging ? load32(bytes, transport + TCP.acknowledgment) : 0)
  store32(
    reset,
    start + TCP.acknowledgment,
    isAcknowledging ? 0 : (packet.sequence + segmentLength(packet)) >>> 0,
  )
  reset[start + TCP.dataOffset] = (TCP.minimumLength / 4) << 4
  reset[start + TCP.flags] = isAcknowledging ? TCP_RST : TCP_RST | TCP_ACK
  return withTransportChecksum(reset, packet.version, TCP.protocol, TCP.checksum)
}

/** Sequence space a segment takes: its payload, and one each for SYN and FIN. */
function segmentLength({ bytes, transport, length, tcpFlags }: Packet): number {
  const header = (bytes[transport + TCP.dataOffset]! >> 4) * 4
  const payload = Math.max(0, length - transport - header)
  return payload + (tcpFlags & TCP_SYN ? 1 : 0) + (tcpFlags & TCP_FIN ? 1 : 0)
}

/** Why nobody serves a packet. */
export type Unserved = 'port-closed' | 'no-container' | 'denied'

/**
 * Administratively prohibited for whom the service does not let in (RFC 1812 section 5.2.7.1, RFC 4443 section 3.1). Else port
 * unreachable; for a protocol without ports host unreachable when its service has no container, and without a
 * service protocol unreachable over IPv4, over IPv6 a parameter problem that points at the next header nobody takes
 * (RFC 8200 section 4).
 */
export function unreachable(packet: Packet, reason: Unserved): Uint8Array {
  const { unreachable, codePort, codeHost, codeProhibited } = packet.version === 4 ? ICMP4 : ICMP6
  if (reason === 'denied') return icmpError(packet, unreachable, codeProhibited)
  if (packet.protocol === UDP.protocol) return icmpError(packet, unreachable, codePort)
  if (reason === 'no-container') return icmpError(packet, unreachable, codeHost)
  return packet.version === 4
    ? icmpError(packet, unreachable, ICMP4.codeProtocol)
    : icmpError(packet, ICMP6.parameterProblem, ICMP6.codeNextHeader, packet.protocolAt)
}

function icmpError(packet: Packet, type: number, code: number, pointer = 0): Uint8Array {
  const { version } = packet
  const start = headerLength(version)
  const quoted = Math.min(packet.length, ERROR_AT_MOST[version] - start - ICMP.headerLength)
  const protocol = icmpProtocol(version)
  const typeOfService = version === 4 ? INTERNETWORK_CONTROL : 0
  const error = ipHeader(packet, ICMP.headerLength + quoted, protocol, typeOfService)
  error[start + ICMP.type] = type
  error[start + ICMP.code] = code
  store32(error, start + ICMP.pointer, pointer)
  error.set(packet.bytes.subarray(0, quoted), start + ICMP.headerLength)
  if (version === 6) return withTransportChecksum(error, 6, protocol, ICMP.checksum)
  store16(error, start + ICMP.checksum, checksumOf(sumOf(error, start, error.length)))
  return error
}

const headerLength = (version: 4 | 6): number => (version === 4 ? IPV4.minimumLength : IPV6.length)

/** IPv6 has it as the traffic class, right behind the version's four bits. */
const typeOfServiceOf = ({ bytes, version }: Packet): number =>
  version === 4 ? bytes[IPV4.typeOfService]! : (load16(bytes, 0) >> 4) & 0xff

/** A packet of zeros behind an IP header from the packet's destination to its source. */
function ipHeader(to: Packet, payloadLength: number, protocol: number, typeOfService: number): Uint8Array {
  return to.version === 4
    ? ipv4Header(to, payloadLength, protocol, typeOfService)
    : ipv6Header(to, payloadLength, protocol, typeOfService)
}

function ipv4Header(
  { bytes }: Packet,
  payloadLength: number,
  protocol: number,
  typeOfService: number,
): Uint8Array {
  const reply = new Uint8Array(IPV4.minimumLength + payloadLength)
  reply[0] = 0x45
  reply[IPV4.typeOfService] = typeOfService
  store16(reply, IPV4.totalLength, reply.length)
  store16(reply, IPV4.fragment, IPV4_DONT_FRAGMENT)
  reply[IPV4.timeToLive] = TIME_TO_LIVE
  reply[IPV4.protocol] = protocol
  reply.set(bytes.subarray(IPV4.destination, IPV4.destination + 4), IPV4.source)
  reply.set(bytes.subarray(IPV4.source, IPV4.source + 4), IPV4.destination)
  store16(reply, IPV4.checksum, checksumOf(sumOf(reply, 0, IPV4.minimumLength)))
  return reply
}

function ipv6Header(
  { bytes }: Packet,
  payloadLength: number,
  protocol: number,
  typeOfService: number,
): Uint8Array {
  const reply = new Uint8Array(IPV6.length + payloadLength)
  store16(reply, 0, 0x6000 | (typeOfService << 4))
  store16(reply, IPV6.payloadLength, payloadLength)
  reply[IPV6.nextHeader] = protocol
  reply[IPV6.hopLimit] = TIME_TO_LIVE
  reply.set(bytes.subarray(IPV6.destination, IPV6.destination + 16), IPV6.source)
  reply.set(bytes.subarray(IPV6.source, IPV6.source + 16), IPV6.destination)
  return reply
}

function withTransportChecksum(
  reply: Uint8Array,
  version: 4 | 6,
  protocol: number,
  offset: number,
): Uint8Array {
  const start = headerLength(version)
  const pseudo = pseudoHeaderSum(addressesOf(reply, version), protocol, reply.length - start)
  store16(reply, start + offset, checksumOf(pseudo + sumOf(reply, start, reply.length)))
  return reply
}
