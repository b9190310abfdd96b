import { ICMP, ICMP6 } from './icmp.ts'
import { TCP } from './tcp.ts'
import { UDP, UDP_LITE } from './udp.ts'

/** The other protocols whose checksum covers the IP addresses: RFC 4340 section 9.1, RFC 7401 section 5.1.1, RFC 6275 section 6.1.1. */
const DCCP = { protocol: 33, checksum: 6 } as const
const HIP = { protocol: 139, checksum: 4 } as const
const MOBILITY = { protocol: 135, checksum: 4 } as const

/**
 * Whether a fragment at an offset (bytes) starts within the TCP header: put together with its first, it could change flags
 * that nobody has looked at (RFC 1858 section 3.2, RFC 3128). Every fragment but the first starts behind the headers of UDP
 * and ICMP, and behind TCP's ports.
 */
export const startsWithinHeader = (protocol: number, offset: number): boolean =>
  protocol === TCP.protocol && offset > 0 && offset < TCP.minimumLength

/** Authentication header (RFC 4302): signs the addresses, with a key that only the two ends have. */
export const AUTHENTICATION = 51

/**
 * Where in a protocol's header the checksum is that covers the IP addresses; undefined for protocols that have none,
 * as ICMP for IPv4, GRE, ESP and SCTP, whose CRC32c covers no pseudo header (RFC 9260 section 6.8).
 */
export function checksumOffset(protocol: number, version: 4 | 6): number | undefined {
  switch (protocol) {
    case TCP.protocol:
      return TCP.checksum
    case UDP.protocol:
    case UDP_LITE:
      return UDP.checksum
    case ICMP6.protocol:
      return version === 6 ? ICMP.checksum : undefined
    case DCCP.protocol:
      return DCCP.checksum
    case HIP.protocol:
      return HIP.checksum
    case MOBILITY.protocol:
      return version === 6 ? MOBILITY.checksum : undefined
    default:
      return undefined
  }
}
