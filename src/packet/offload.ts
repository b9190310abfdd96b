import type { Packet } from './packet.ts'
import { TCP } from './tcp.ts'
import { UDP } from './udp.ts'

/** The virtio-net header's fields (linux/virtio_net.h) of a packet read with IFF_VNET_HDR. */
export interface Offload {
  /** The transport checksum is partial: it covers the pseudo header only (VIRTIO_NET_HDR_F_NEEDS_CSUM). */
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

/**
 * Whether an offload header fits its packet as the kernel would write it: a checksum inside the packet, and
 * segments of some size, of the packet's own protocol and with a checksum to finish.
 */
export function isOffloadSound(packet: Packet, offload: Offload): boolean {
  const { needsChecksum, checksumStart, checksumOffset, gsoType, gsoSize } = offload
  if (needsChecksum && checksumStart + checksumOffset + 2 > packet.length) return false
  if (needsChecksum && checksumStart < packet.transport) return false
  if (gsoType === GSO.none) return true
  return needsChecksum && gsoSize > 0 && protocolOf(gsoType, packet.version) === packet.protocol
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
