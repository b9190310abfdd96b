import { type Address, addressBytes } from '../address.ts'
import { load16, store16 } from '../packet/bytes.ts'
import { sumDelta, updateChecksum, updatePartialSum, wordDelta } from '../packet/checksum.ts'
import { IPV4 } from '../packet/ipv4.ts'
import { IPV6 } from '../packet/ipv6.ts'
import type { Packet } from '../packet/packet.ts'
import { TCP } from '../packet/tcp.ts'
import { checksumOffset } from '../packet/transport.ts'
import { UDP, UDP_LITE } from '../packet/udp.ts'

export type Side = 'source' | 'destination'

/**
 * Replaces one end of a packet in place, address and (unless `port` is 0) TCP or UDP port, and updates the
 * checksums by the difference only (RFC 1624): a sum that arrived wrong leaves wrong.
 *
 * `isPartial`: the transport checksum is the pseudo header's sum, left for a device to finish
 * (VIRTIO_NET_HDR_F_NEEDS_CSUM). Then the address changes it uncomplemented and the port, which the device
 * will sum up itself, not at all.
 *
 * At a stop on the way (`isRouted`) only the address is written: checksum and port are of the last destination.
 */
export function rewriteEnd(
  packet: Packet,
  side: Side,
  address: Address,
  port: number,
  isPartial: boolean,
): void {
  const addressDelta = rewriteAddress(packet, side, address)
  if (!packet.hasTransport || (side === 'destination' && packet.isRouted)) return
  const portDelta = port === 0 ? 0 : rewritePort(packet, side, port)
  const checksumAt = transportChecksum(packet)
  if (checksumAt === undefined) return
  const before = load16(packet.bytes, checksumAt)
  const after = isPartial
    ? updatePartialSum(before, addressDelta)
    : updateTransportChecksum(packet.protocol, before, addressDelta + portDelta)
  store16(packet.bytes, checksumAt, after)
}

/** A zero says that the sender computed none, so a computed zero goes out as ffff (RFC 768, RFC 3828 section 3.1). */
function updateTransportChecksum(protocol: number, before: number, delta: number): number {
  if (protocol !== UDP.protocol && protocol !== UDP_LITE) return updateChecksum(before, delta)
  return before === 0 ? 0 : updateChecksum(before, delta) || 0xffff
}

/** Returns the change of the sum over the address; the IPv4 header's own checksum is updated by it. */
function rewriteAddress({ bytes, version }: Packet, side: Side, address: Address): number {
  const at = (version === 4 ? IPV4 : IPV6)[side]
  const after = addressBytes(address)
  const delta = sumDelta(bytes.subarray(at, at + after.length), after)
  bytes.set(after, at)
  if (version === 4) store16(bytes, IPV4.checksum, updateChecksum(load16(bytes, IPV4.checksum), delta))
  return delta
}

function rewritePort({ bytes, transport }: Packet, side: Side, port: number): number {
  const at = transport + (side === 'source' ? TCP.sourcePort : TCP.destinationPort)
  const delta = wordDelta(load16(bytes, at), port)
  store16(bytes, at, port)
  return delta
}

/** Where the checksum is that covers the IP addresses; undefined where there is none. */
function transportChecksum({ protocol, version, transport, length }: Packet): number | undefined {
  const at = checksumOffset(protocol, version)
  return at === undefined || transport + at + 2 > length ? undefined : transport + at
}
