import type { Packet } from './packet.ts'
import { TCP } from './tcp.ts'
import { checksumOffset } from './transport.ts'
import { UDP } from './udp.ts'

/** The virtio-net header's fields (linux/virtio_net.h) of a packet read with IFF_VNET_HDR. */
export interface Offload {
  /** A checksum is partial: it covers the pseudo header only (VIRTIO_NET_HDR_F_NEEDS_CSUM). */
  readonly needsChecksum: boolean
  readonly checksumStart: number
  readonly checksumOffset: number
  /** VIRTIO_NET_HDR_GSO_*, the ECN bit masked out. */
  readonly gsoType: number
  readonly gsoSize: number
}

export const NO_OFFLOAD: Offload = {
  needsChecksum: false,
  checksumStart: 0,
  checksumOffset: 0,
  gsoType: 0,
  gsoSize: 0,
}

/** VIRTIO_NET_HDR_GSO_*. */
const GSO = { none: 0, tcp4: 1, udp: 3, tcp6: 4, udpL4: 5 } as const

/** Linux sends no smaller TCP segments: 48 bytes (TCP_MIN_SND_MSS in net/tcp.h) with 40 of them options. */
const LEAST_TCP_SEGMENT = 8
/** As many as those make of 64 KB, for either protocol; for UDP, Linux makes 128 (UDP_MAX_SEGMENTS). */
const SEGMENTS_AT_MOST = 0x10000 / LEAST_TCP_SEGMENT
/** Says that the segments differ (GSO_BY_FRAGS in linux/skbuff.h), which nothing outside the kernel can tell it. */
const GSO_BY_FRAGS = 0xffff

/** Protocols that carry packets: IPv4, UDP (VXLAN, Geneve), IPv6, GRE, MPLS. */
const CARRIERS: ReadonlySet<number> = new Set([4, UDP.protocol, 41, 47, 137])

/**
 * Whether the packet's own transport checksum is partial. It is not where a carried packet's is: the carrier's sum then
 * is the one that the finished packet will have (the kernel's "local checksum offload").
 */
export const isPartial = ({ transport }: Packet, { needsChecksum, checksumStart }: Offload): boolean =>
  needsChecksum && checksumStart === transport

/**
 * Whether an offload header fits its packet as the kernel would write it: the checksum field is where the transport, or
 * that of a carried packet, has it; and what is to be cut is a whole packet with such a checksum, of the protocol that
 * the kind of segments says, into segments of a possible size.
 */
export function isOffloadSound(packet: Packet, offload: Offload): boolean {
  if (offload.needsChecksum && !isChecksumSound(packet, offload)) return false
  return offload.gsoType === GSO.none || areSegmentsSound(packet, offload)
}

function isChecksumSound(packet: Packet, offload: Offload): boolean {
  const { checksumStart, checksumOffset: offset } = offload
  if (packet.isFragment || !packet.hasTransport || checksumStart + offset + 2 > packet.length) return false
  if (isPartial(packet, offload)) return offset === checksumOffset(packet.protocol, packet.version)
  const isOfCarried = checksumStart > packet.transport && CARRIERS.has(packet.protocol)
  return isOfCarried && (offset === TCP.checksum || offset === UDP.checksum)
}

function areSegmentsSound(packet: Packet, offload: Offload): boolean {
  const { gsoType, gsoSize } = offload
  if (!isPartial(packet, offload) || protocolOf(gsoType, packet.version) !== packet.protocol) return false
  const payload = packet.length - packet.transport - headerLength(packet)
  const least = packet.protocol === TCP.protocol ? LEAST_TCP_SEGMENT : 1
  if (payload <= 0 || gsoSize < least || gsoSize === GSO_BY_FRAGS) return false
  return Math.ceil(payload / gsoSize) <= SEGMENTS_AT_MOST
}

/** Of TCP, by its data offset and never less than the header has, or of UDP. */
function headerLength({ bytes, protocol, transport }: Packet): number {
  if (protocol === UDP.protocol) return UDP.headerLength
  return Math.max(TCP.minimumLength, (bytes[transport + TCP.dataOffset]! >> 4) * 4)
}

function protocolOf(gsoType: number, version: 4 | 6): number | undefined {
  switch (gsoType) {
    case GSO.tcp4:
      return version === 4 ? TCP.protocol : undefined
    case GSO.tcp6:
      return version === 6 ? TCP.protocol : undefined
    case GSO.udp:
    case GSO.udpL4:
      return UDP.protocol
    default:
      return undefined
  }
}
